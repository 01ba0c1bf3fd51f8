"""Unified diffs and the text of `apply_patch`, read as SEARCH/REPLACE blocks.

Line numbers and counts are not believed (models count badly): a hunk is its context and removed
lines, to be found in the file, and its context and added lines, to be put there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cambrian.agents.answers.marks import FENCE, FIELD, HEADING, plain_path

_COUNTS = re.compile(r"@@+ -\d+(?:,(?P<before>\d+))? \+\d+(?:,(?P<after>\d+))? @@")
_ACTION = re.compile(r"\*\*\* (?P<verb>Update|Add|Delete) File: ?(?P<path>\S+)[ \t]*")
_SIDE = re.compile(r"(?:---|\+\+\+) (?P<path>[^\t]+?)(?:\t.*)?[ \t]*")
_GIT = re.compile(
    r"(?:diff --git |index [0-9a-f]|(?:new|deleted) file mode|(?:old|new) mode |similarity |"
    r"\*\*\* (?:Begin|End) (?:Patch|of File)).*"
)
_NOWHERE = "/dev/null"


@dataclass
class Patch:
    """What a patch says.

    Attributes:
        at: the line after it.
        unread: what of it could not be read, in words for the model.
    """

    at: int
    files: dict[str, str | None] = field(default_factory=dict)
    blocks: list[dict[str, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def starts_patch(lines: Sequence[str], at: int) -> bool:
    """Whether a patch with its own path begins at a line."""
    line = lines[at]
    if _ACTION.fullmatch(line) or line.startswith(("*** Begin Patch", "diff --git ")):
        return True
    return _starts_file(lines, at)


def starts_hunk(line: str) -> bool:
    """Whether a line is the head of a hunk."""
    return line.startswith("@@") and (line.rstrip().endswith("@@") or line[2:3] in ("", " "))


def read_patch(
    lines: Sequence[str], at: int, path: str = "", *, fenced: bool = False, cut: bool = False
) -> Patch:
    """Read a patch from line `at` on, to where it ends.

    Args:
        path: the file that is meant until the patch names one.
        fenced: whether it stands in a fence, so that every line up to that is the patch's.
        cut: whether the text was cut off, so that a patch that goes on to its end is not whole.
    """
    reader = _Reader(lines, at, path, fenced)
    reader.cut = cut
    reader.read()
    return reader.patch


class _Reader:
    """Goes through a patch line by line, once."""

    def __init__(self, lines: Sequence[str], at: int, path: str, fenced: bool) -> None:
        self.lines, self.path, self.fenced = lines, path, fenced
        self.cut = False
        self.patch = Patch(at)
        self.verb = "Update"
        self.hunk: list[str] | None = None
        self.added: list[str] = []
        self.left: list[int] | None = None  # lines that the hunk's head still announces

    def read(self) -> None:
        closed = False
        while self.patch.at < len(self.lines) and not closed:
            line = self.lines[self.patch.at]
            if self._ends(line) or not self._take(line):
                break
            self.patch.at += 1
            closed = line.startswith("*** End Patch")
        if not closed and self.patch.at >= len(self.lines) and self._is_cut():
            self.patch.unread.append(
                f"the end of the changes of {self.path[:80] or 'a file'} is missing"
            )
            self.hunk, self.verb, self.path = None, "Update", ""
        self._end_file()

    def _is_cut(self) -> bool:
        """Whether a patch that goes on to the end of the text was cut off: what it stands in was
        not closed, or its last hunk has fewer lines than its head announced."""
        return self.cut or self.fenced or (self.left is not None and any(self.left))

    def _ends(self, line: str) -> bool:
        """Whether a line is not the patch's any more."""
        if FENCE.fullmatch(line) or HEADING.match(line):
            return True
        return not line[:1].isspace() and line[:1] not in "+-" and bool(FIELD.match(line))

    def _take(self, line: str) -> bool:
        """Take a line in; False where the patch is over."""
        if (found := _ACTION.fullmatch(line)) is not None:
            self._end_file()
            self.path, self.verb = _path(found["path"]), found["verb"]
            self.hunk = [] if self.verb == "Update" else None
        elif _GIT.match(line):
            self._end_hunk()
            self.fenced |= line.startswith("*** Begin")
        elif _starts_file(self.lines, self.patch.at):
            self._two_sides(line, self.lines[self.patch.at + 1])
        elif starts_hunk(line):
            self._end_hunk()
            self.hunk, self.left = [], _announced(line)
        elif self.verb == "Add" and line.startswith("+"):
            self.added.append(line[1:])
        elif self.hunk is None:
            return not line.strip() or self.fenced
        else:
            return self._line_of_hunk(line)
        return True

    def _two_sides(self, before: str, after: str) -> None:
        """The two lines that name a file in a unified diff."""
        self._end_file()
        old, new = (_path(_named(line)) for line in (before, after))
        self.verb = "Add" if old == _NOWHERE else "Delete" if new == _NOWHERE else "Update"
        self.path = old if new == _NOWHERE else new
        self.patch.at += 1

    def _line_of_hunk(self, line: str) -> bool:
        assert self.hunk is not None
        if line.startswith("\\"):  # "\ No newline at end of file"
            return True
        if not line.strip() and not self.fenced and self.left is not None and not any(self.left):
            return False
        if line[:1] in ("+", "-", " ") or not line:
            self.hunk.append(line or " ")
        elif self.fenced:
            self.hunk.append(f" {line}")  # a line of the file whose blank was forgotten
        else:
            return False
        if self.left is not None:
            self.left = [
                max(0, self.left[0] - (line[:1] != "+")),
                max(0, self.left[1] - (line[:1] != "-")),
            ]
        return True

    def _end_hunk(self) -> None:
        hunk, self.hunk, self.left = self.hunk or [], None, None
        while hunk and hunk[-1] == " ":
            hunk.pop()
        while hunk and hunk[0] == " ":
            del hunk[0]
        if not any(line[0] != " " for line in hunk):
            return
        if self.verb == "Add":
            self.added += [line[1:] for line in hunk if line[0] == "+"]
            return
        search = [line[1:] for line in hunk if line[0] != "+"]
        replace = [line[1:] for line in hunk if line[0] != "-"]
        if self.verb == "Delete":
            return
        if not self.path:
            self.patch.unread.append("a hunk of a diff before any line that names its file")
        elif not any(line.strip() for line in search):
            self.patch.unread.append(
                f"a hunk in {self.path[:80]} that only adds lines: expected lines of the file "
                "around them, to know where"
            )
        else:
            self.patch.blocks.append(
                {"path": self.path, "search": _text(search), "replace": _text(replace)}
            )

    def _end_file(self) -> None:
        self._end_hunk()
        if self.verb == "Delete" and self.path:
            self.patch.files[self.path] = None
        elif self.verb == "Add" and self.path:
            self.patch.files[self.path] = _text(self.added)
        self.verb, self.added = "Update", []


def _starts_file(lines: Sequence[str], at: int) -> bool:
    following = lines[at + 1] if at + 1 < len(lines) else ""
    return (
        lines[at].startswith("--- ")
        and following.startswith("+++ ")
        and _SIDE.fullmatch(lines[at][:400]) is not None
        and _SIDE.fullmatch(following[:400]) is not None
    )


def _named(line: str) -> str:
    found = _SIDE.fullmatch(line[:400])
    return found["path"] if found else ""


def _path(text: str) -> str:
    text = text.strip("\"'`")
    if text == _NOWHERE:
        return text
    return plain_path(text[2:] if text[:2] in ("a/", "b/") else text)


def _announced(line: str) -> list[int] | None:
    found = _COUNTS.match(line[:200])
    if found is None:
        return None
    return [int((found[side] or "1")[:9]) for side in ("before", "after")]


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
