"""What a rewrite changed: unified diffs between two source trees, straight from the database.

`git diff` in the lineage repository shows the same; this needs no repository.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping


def unified_diff(old: Mapping[str, str], new: Mapping[str, str], *, context: int = 3) -> str:
    """A unified diff of two trees (text by path), files in path order; empty if they are equal."""
    changed = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
    return "".join(line for path in changed for line in _file(path, old, new, context))


def _file(path: str, old: Mapping[str, str], new: Mapping[str, str], context: int) -> Iterator[str]:
    before = f"a/{path}" if path in old else "/dev/null"
    after = f"b/{path}" if path in new else "/dev/null"
    lines = list(
        difflib.unified_diff(
            _lines(old.get(path, "")), _lines(new.get(path, "")), before, after, n=context
        )
    )
    # An empty file that came or went has no hunk, and is a change all the same.
    yield from lines or (f"--- {before}\n", f"+++ {after}\n")


def _lines(text: str) -> list[str]:
    # Not splitlines(): to git and to diff only "\n" ends a line.
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, f"{last}\n\\ No newline at end of file\n"] if last else lines
