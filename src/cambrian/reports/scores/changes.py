"""What is different in the code of two agents, as far as a page has the time to find out."""

from __future__ import annotations

from collections.abc import Mapping

from cambrian.archive import unified_diff

LINES, CHARACTERS = 3_000, 100_000
"""A file with more of either is not compared: the time grows with the square of its lines."""


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """A unified diff of two trees (text by path); a long file that differs is only named."""
    long = {path for tree in (old, new) for path, text in tree.items() if _is_long(text)}
    short = [{p: text for p, text in tree.items() if p not in long} for tree in (old, new)]
    told = [
        f"--- a/{path}\n+++ b/{path}\n@@ not compared: longer than {LINES:,} lines or "
        f"{CHARACTERS:,} characters @@\n"
        for path in sorted(long)
        if old.get(path) != new.get(path)
    ]
    return "".join([*told, unified_diff(*short)])


def _is_long(text: str) -> bool:
    return len(text) > CHARACTERS or text.count("\n") > LINES
