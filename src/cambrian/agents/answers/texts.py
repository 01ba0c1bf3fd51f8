"""The text of a whole file in an answer: where its fence ends, and what is mended of it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence

from cambrian.agents.answers.marks import FENCE, STRAIGHT, closes

TAGS = frozenset({"python", "python3", "py", "markdown", "md", "text"})
ENDS = 6
"""How many lines are tried that could close a file's fence."""
MAX_PARSED = 128 << 10


class TextOfFile:
    """A fenced text that begins at a line.

    Attributes:
        text: None where its fence is never closed.
        end: the line after it.

    A fence in a text is told from its end by what follows it (a language's name), by its length
    and indentation and, for Python, by whether the text so far parses.
    """

    def __init__(self, lines: Sequence[str], at: int, indent: str, fence: str, path: str) -> None:
        self.text: str | None = None
        self.end = len(lines)
        first: tuple[str, int] | None = None
        for text, end in _candidates(lines, at, indent, fence):
            first = first or (text, end)
            if not path.endswith(".py") or _parses(tidy_code(path, text)):
                first = (text, end)
                break
        if first is not None:
            self.text, self.end = tidy_code(path, first[0]), first[1]


def _candidates(lines: Sequence[str], at: int, indent: str, fence: str) -> list[tuple[str, int]]:
    """The texts that may be meant, and the line after each, the likeliest first."""
    found: list[tuple[str, int]] = []
    taken: list[str] = []
    depth = 1
    for number, line in enumerate(lines[at:], at + 1):
        mark = FENCE.fullmatch(line) if line.lstrip()[:3] in ("```", "~~~") else None
        if mark and closes(mark["fence"], fence):
            if mark["info"].strip():
                depth += len(mark["fence"]) == len(fence)  # a fence in a fence
            elif len(mark["indent"]) <= 3 or mark["indent"] == indent:
                depth -= 1
                if depth <= 0:
                    found.append(("".join(f"{one}\n" for one in taken), number))
                    if len(found) >= ENDS:
                        break
        taken.append(line.removeprefix(indent))
    return found


def tidy_code(path: str, text: str) -> str:
    """A file's text without a language's name in its first line and, where only that makes it
    Python, with straight quotes."""
    first, _, rest = text.partition("\n")
    if path.endswith(".py") and first.strip().lower() in TAGS:
        text = rest
    if path.endswith(".py") and not _parses(text):
        straight = text.translate(STRAIGHT)
        return straight if straight != text and _parses(straight) else text
    return text


def _parses(text: str) -> bool:
    if len(text) > MAX_PARSED:
        return True  # too long to be an agent's: refused elsewhere, with the reason
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
