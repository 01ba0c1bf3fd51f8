"""`cambrian sql`: one question to the archive, in SQL."""

from __future__ import annotations

import csv
import sys
from typing import Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import note, say, show_list, show_table
from cambrian.cli.render.text import line
from cambrian.errors import UsageError


@click.command(
    epilog=examples(
        'cambrian sql "SELECT * FROM leaderboard LIMIT 10"',
        'cambrian sql --csv "SELECT benchmark, mean_score FROM evaluations_by_benchmark"',
        'cambrian sql "SELECT name, array_json(dtype, shape, data) FROM series LIMIT 1"',
    )
)
@click.argument("query")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="How many rows at most; 0 for all.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Give up after so long.",
)
@common
@click.pass_obj
def sql(
    shared: Shared, query: str, as_json: bool, as_csv: bool, limit: int, seconds: float
) -> None:
    """Ask the archive a question in SQL; nothing can be changed.

    Tables and views are documented in docs/archive.md. The function array_json(dtype, shape, data)
    shows a curve or a matrix as JSON. A run may continue meanwhile.
    """
    from cambrian.archive.reader import Reader

    if as_json and as_csv:
        raise UsageError("expected --json or --csv, not both")
    with Reader(shared.archive) as archive:
        # One more than asked for tells whether there are more.
        found = archive.sql(query, limit=limit + 1 if limit else None, seconds=seconds)
    shown = found[:limit] if limit else found
    if as_json:
        show_list([_plain(row) for row in shown], truncated=len(found) > len(shown))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(shown.columns)
        writer.writerows([_cell(value) for value in row] for row in shown.values)
    elif shown.columns:
        show_table(shown.columns, [[_cell(value) for value in row] for row in shown.values])
    else:
        say()
    if len(found) > len(shown) and not as_json:
        note(f"the first {limit} rows; --limit 0 shows all")


def _plain(row: Any) -> dict[str, Any]:
    return {name: _hex(value) if isinstance(value, bytes) else value for name, value in row.items()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return _hex(value) if isinstance(value, bytes) else line(value)


def _hex(value: bytes) -> str:
    """A blob as SQL writes it, cut short."""
    return f"x'{value[:32].hex()}{'…' if len(value) > 32 else ''}'"
