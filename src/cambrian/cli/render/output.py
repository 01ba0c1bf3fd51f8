"""Where things are printed: data on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cambrian.cli.render.text import block, line, now
from cambrian.text import finite

SCHEMA = 1
"""Of every JSON object printed here; it changes when a key changes its meaning or goes."""

_MARKUP = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\x7f"}


def say(text: str = "") -> None:
    """Data: a line of it on standard output. The caller has made it safe."""
    click.echo(text, color=_color())


def note(text: str) -> None:
    """Everything else: a line on standard error, made safe here."""
    click.echo(block(text), err=True)


def show_json(data: Mapping[str, Any]) -> None:
    """One JSON object, with `schema` and `as_of` in front; what is not finite becomes null."""
    click.echo(_json({"schema": SCHEMA, "as_of": now(), **data}, indent=2))


def show_json_line(data: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own, for what goes on and on."""
    click.echo(_json(data))


def _json(data: Mapping[str, Any], indent: int | None = None) -> str:
    # ASCII only, so that untrusted text cannot steer a terminal; no markup, for JSON is put into
    # pages. Both are the same JSON to a reader.
    return json.dumps(finite(data), indent=indent, allow_nan=False).translate(_MARKUP)


def show_list(items: Sequence[Mapping[str, Any]], *, truncated: bool = False) -> None:
    """A JSON list: `items`, and whether there are more than were asked for."""
    show_json({"items": list(items), "truncated": truncated})


def show_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table: ruled on a terminal, else aligned columns. Every cell is made safe."""
    cells = [[line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_rich(headers, cells)
        return
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in (headers, *cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(padded).rstrip())


def _show_rich(headers: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, header in enumerate(headers):
        # Only the last column, a title or a rule, is long enough to be folded.
        table.add_column(header, overflow="fold", no_wrap=position < len(headers) - 1)
    for row in cells:
        table.add_row(*map(Text, row))  # Text, not str: no markup in what others wrote
    Console(file=sys.stdout, markup=False, highlight=False, emoji=False).print(table)


def show_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one a line, aligned; values that are None or empty are left out."""
    shown = {name: line(value) for name, value in fields.items() if value not in (None, "")}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        say(f"{name.ljust(width)}  {value}")


def heading(text: str) -> None:
    """A line above a section, with an empty one before it."""
    say()
    say(click.style(text, bold=True))


def _color() -> bool | None:
    """None lets click decide by whether it is a terminal."""
    return False if os.environ.get("NO_COLOR") else None
