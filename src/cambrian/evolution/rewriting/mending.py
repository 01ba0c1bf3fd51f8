"""One answer after another until an edit is whole: good changes are kept, failed ones asked again.

    begin(parent, given)            what a first answer amounts to
    go_on(parent, first, given)     what a second one makes of it, which mends the first

Nothing here asks a model; `rewriting.by_model` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cambrian.agents.edits import Block, Edit, EditError, Parts, apply, parts
from cambrian.agents.imports import check_imports
from cambrian.agents.tree import SourceTree
from cambrian.errors import InvalidAgent

MAX_PROBLEMS = 6000
"""Characters of what is told to a model."""


@dataclass(frozen=True)
class Change:
    """One change of an edit: how many characters it has, and whether it was made."""

    size: int
    made: bool


@dataclass(frozen=True)
class Attempt:
    """What an answer amounts to.

    Attributes:
        problem: why it makes no agent, in words for the model; "" where it makes one.
        tree: the agent; None where there is a problem.
        edit: what it was read as; None where it was nothing.
        code: the parent's files with those changes that could be made.
        kept: the blocks that were made.
        changes: each change that was asked for.
        format: how this answer's changes were written.
    """

    problem: str = ""
    tree: SourceTree | None = None
    edit: Edit | None = None
    code: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[Block, ...] = ()
    changes: tuple[Change, ...] = ()
    format: str = "unread"


def begin(parent: SourceTree, given: object) -> Attempt:
    """Read an improver's edit, and make of it what can be made."""
    try:
        edit = Edit.from_json(given)
    except (EditError, InvalidAgent) as error:
        return Attempt(str(error), code=dict(parent))
    return _made(parent, parent, edit)


def go_on(parent: SourceTree, first: Attempt, given: object) -> Attempt:
    """The same of a second edit, which is made on top of what the first one left. One that is whole
    by itself counts as well; changes that were made before are not made again."""
    try:
        edit = Edit.from_json(given)
    except (EditError, InvalidAgent) as error:
        return Attempt(str(error), code=dict(parent))
    rest = replace(edit, blocks=tuple(one for one in edit.blocks if one not in first.kept))
    on_top = _made(parent, first.code, rest)
    if first.edit is None or not any(one.made for one in first.changes):
        return on_top
    if on_top.tree is not None:
        both = _together(parent, on_top.tree, first.edit, first.kept, rest)
        return replace(on_top, edit=both)
    alone = _made(parent, parent, edit)
    return on_top if alone.tree is None else alone


def _made(parent: SourceTree, code: Mapping[str, str], edit: Edit) -> Attempt:
    """What an edit makes of some code."""
    found = parts(code, edit)
    files = {path: text for path, text in code.items() if found.files.get(path, "") is not None}
    files |= {path: text for path, text in found.files.items() if text is not None}
    attempt = Attempt(
        edit=edit,
        code=files,
        kept=tuple(one for one, made in zip(edit.blocks, found.made, strict=True) if made),
        changes=_changes(edit, found),
        format=edit.format or "other",
    )
    if found.problems:
        return replace(attempt, problem=_told(attempt, found.problems))
    try:
        tree = SourceTree(files)
        check_imports(tree, parent)
    except InvalidAgent as error:
        return replace(attempt, problem=str(error))
    if tree == parent:
        return replace(attempt, problem="the edit changes nothing: every file would stay as it is")
    return replace(attempt, tree=tree)


def _told(attempt: Attempt, problems: Sequence[str]) -> str:
    """Problems with what is to be done about them."""
    made = sum(one.made for one in attempt.changes)
    text = "\n".join(problems)[:MAX_PROBLEMS]
    if not made:
        return text
    return (
        f"{made} of {len(attempt.changes)} changes were made: the code has them. Give only what is "
        f"still to be changed, against the code as it is now.\n{text}"
    )


def _changes(edit: Edit, found: Parts) -> tuple[Change, ...]:
    """Whole files, then blocks, then what could not be read (of no known size)."""
    files = [Change(len(text or ""), path in found.files) for path, text in edit.files.items()]
    blocks = [Change(one.size, made) for one, made in zip(edit.blocks, found.made, strict=True)]
    return (*files, *blocks, *(Change(0, False) for _ in edit.unread))


def _together(
    parent: SourceTree, tree: SourceTree, first: Edit, kept: Sequence[Block], rest: Edit
) -> Edit:
    """Both as one edit of the parent: its blocks in a row where that gives the tree, else the files
    that changed."""
    files = {path: text for path, text in first.files.items() if text is not None or path in parent}
    words = replace(first, unread=(), files=files, blocks=(*kept, *rest.blocks))
    if not rest.files:
        try:
            if apply(parent, words) == tree:
                return words
        except (EditError, InvalidAgent):
            pass
    changed: dict[str, str | None] = {path: None for path in parent if path not in tree}
    changed |= {path: text for path, text in tree.items() if parent.get(path) != text}
    return replace(words, files=changed, blocks=())
