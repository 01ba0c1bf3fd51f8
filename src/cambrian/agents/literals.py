"""Code, not weights: no literal of an agent may hold more than 4 KiB.

Counted are the constants of one expression of literals: a string with what it is joined or added
to, a list, a call's arguments, however they are nested. Comments and docstrings
are held to the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from cambrian.agents.syntax import Parsed
from cambrian.errors import InvalidAgent

MAX_LITERAL_BYTES = 4096

_LITERAL = (
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.BinOp,
    ast.UnaryOp,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.Call,
    ast.keyword,
    ast.Starred,
    ast.Attribute,
    ast.Subscript,
    ast.Compare,
    ast.BoolOp,
    ast.IfExp,
)


def check_literals(path: str, text: str, code: Parsed) -> None:
    """Check every literal, comment and line of a parsed file.

    Raises:
        InvalidAgent: one is over the limit.
    """
    lines = text.encode().split(b"\n")
    _check_comments(path, lines)
    held: dict[ast.AST, int] = {}
    for node, children in zip(reversed(code.nodes), reversed(code.children), strict=True):
        if isinstance(node, ast.Constant):  # children come before their parents
            held[node] = _constant_bytes(node)
        elif isinstance(node, _LITERAL):
            held[node] = sum(held.get(child, 0) for child in children)
        else:
            continue
        if held[node] > MAX_LITERAL_BYTES:
            raise InvalidAgent(
                f"{path}:{getattr(node, 'lineno', 1)}: expected literals of at most "
                f"{MAX_LITERAL_BYTES} bytes (code, not weights); got {held[node]}"
            )


def _constant_bytes(node: ast.Constant) -> int:
    """Bytes of a constant: of its value for text, of its source for a number (one line)."""
    if isinstance(node.value, str):
        return len(node.value.encode(errors="surrogatepass"))
    if isinstance(node.value, bytes):
        return len(node.value)
    return (node.end_col_offset or node.col_offset) - node.col_offset


def _check_comments(path: str, lines: Iterable[bytes]) -> None:
    """A line, and a run of lines that are comments, must be short too."""
    run = 0
    for number, line in enumerate(lines, start=1):
        run = run + len(line) if line.lstrip().startswith(b"#") else 0
        if max(len(line), run) > MAX_LITERAL_BYTES:
            raise InvalidAgent(
                f"{path}:{number}: expected lines and comments of at most {MAX_LITERAL_BYTES} "
                f"bytes (code, not weights); got {max(len(line), run)}"
            )
