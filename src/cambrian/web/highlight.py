"""Code and diffs as HTML with classes; the colours are in static/code.css."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape
from pygments import lex
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES, Token

from cambrian.text import neutralise

MOST = 140_000
"""Characters that are coloured; an agent's tree has 128 KiB at most."""


def python(text: str) -> Markup:
    """Python source as lines with spans."""
    shown = neutralise(text[:MOST])
    parts = []
    for kind, value in lex(shown, PythonLexer(stripnl=False, ensurenl=False)):
        name = _class(kind)
        piece = escape(value)
        parts.append(Markup('<span class="{}">{}</span>').format(name, piece) if name else piece)
    rest = len(text) - MOST
    if rest > 0:
        parts.append(escape(f"\n… {rest:,} more characters"))
    return Markup("").join(parts)


def _class(kind: Any) -> str:
    while kind is not Token and kind not in STANDARD_TYPES:
        kind = kind.parent
    return str(STANDARD_TYPES.get(kind, ""))


def diff(text: str) -> Markup:
    """A unified diff, each line in a span that says what became of it."""
    return Markup("").join(
        Markup('<span class="{}">{}</span>\n').format(name, row) for name, row in _rows(text)
    )


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for row in neutralise(text[:MOST]).split("\n"):
        if row.startswith(("--- ", "+++ ")):
            yield "df", row
        elif row.startswith("@@"):
            yield "dh", row
        else:
            yield {"+": "da", "-": "dd"}.get(row[:1], "dc"), row
    if len(text) > MOST:
        yield "dc", f"… {len(text) - MOST:,} more characters"
