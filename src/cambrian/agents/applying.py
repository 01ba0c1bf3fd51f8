"""Making the changes of an edit, one by one: those that fit are made, the others say why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cambrian.agents.answers.marks import STRAIGHT
from cambrian.agents.matching import Place, find_once
from cambrian.agents.syntax import parse
from cambrian.errors import InvalidAgent


@dataclass(frozen=True)
class Block:
    """Replace `search`, which must occur exactly once in the file at `path`."""

    path: str
    search: str
    replace: str

    @property
    def size(self) -> int:
        """Characters of both texts."""
        return len(self.search) + len(self.replace)


class Unfit(Exception):
    """A block does not fit; the message is fit to be shown to a model."""


@dataclass(frozen=True)
class Parts:
    """What came of the changes of an edit.

    Attributes:
        files: the texts of changed files by path; None: removed.
        made: for each block, whether it was made.
        problems: why something was not made, in words for a model.
    """

    files: Mapping[str, str | None]
    made: tuple[bool, ...]
    problems: tuple[str, ...]


def apply_blocks(
    tree: Mapping[str, str], files: Mapping[str, str | None], blocks: Sequence[Block]
) -> Parts:
    """Write whole files, then replace blocks in order, each in what the ones before it made."""
    changed: dict[str, str | None] = dict(files)
    before: dict[str, str | None] = {}
    made: list[bool] = []
    problems: list[str] = []
    for number, block in enumerate(blocks, start=1):
        text = changed[block.path] if block.path in changed else tree.get(block.path)
        before.setdefault(block.path, text)
        try:
            changed[block.path] = _replaced(text, block, number, tree)
        except Unfit as error:
            problems.append(str(error))
            made.append(False)
        else:
            made.append(True)
    _straighten(changed, before, [block for block, one in zip(blocks, made, strict=True) if one])
    for path in [path for path, text in changed.items() if text is None and path not in tree]:
        problems.append(f"{path!r}: to be removed, but there are only {sorted(tree)}")
        del changed[path]
    return Parts(changed, tuple(made), tuple(problems))


def _replaced(text: str | None, block: Block, number: int, tree: Mapping[str, str]) -> str:
    if text is None:
        raise Unfit(f"block {number}: expected one of the files {sorted(tree)}; got {block.path!r}")
    where = f"block {number} in {block.path if block.path.isprintable() else '?'}"
    try:
        place, new = find_once(text, block.search, where, Unfit), block.replace
    except Unfit:
        search, new = (one.translate(STRAIGHT) for one in (block.search, block.replace))
        if search == block.search:
            raise
        place = find_once(text, search, where, Unfit)
    return text[: place.start] + _indented(new, place, where) + text[place.end :]


def _indented(new: str, place: Place, where: str) -> str:
    """The replacement, indented as the place is where the search text was indented otherwise."""
    if place.given == place.found:
        return new
    lines = new.splitlines(keepends=True)
    if any(line.strip() and not line.startswith(place.given) for line in lines):
        raise Unfit(
            f"{where}: the search text fits lines that are indented otherwise, and lines of the "
            "replacement are indented less than all of it; indent both as the file is"
        )
    return "".join(
        place.found + line.removeprefix(place.given) if line.strip() else line for line in lines
    )


def _straighten(
    changed: dict[str, str | None], before: Mapping[str, str | None], blocks: Sequence[Block]
) -> None:
    """Give replacements straight quotes in a file of Python which only they keep from parsing."""
    for path, text in list(changed.items()):
        if text is None or path not in before or not path.endswith(".py"):
            continue
        if _parses(path, text) or not (old := before[path]) or not _parses(path, old):
            continue
        again = old
        try:
            for one in blocks:
                if one.path == path:
                    straight = Block(path, one.search, one.replace.translate(STRAIGHT))
                    again = _replaced(again, straight, 0, {})
        except Unfit:
            continue  # a later block is to be found in what an earlier one wrote
        if _parses(path, again):
            changed[path] = again


def _parses(path: str, text: str) -> bool:
    try:
        parse(path, text)
    except InvalidAgent:
        return False
    return True
