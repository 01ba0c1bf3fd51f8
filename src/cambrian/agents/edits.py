"""An edit: how an agent is to be rewritten, and what is hoped of it.

    EditError            an edit that is malformed, or does not fit the tree (a UsageError)

What comes from an improver is hostile until `Edit.from_json` has looked at it.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cambrian.agents.applying import Block, Parts, apply_blocks
from cambrian.agents.tree import MAX_BYTES, MAX_FILES, SourceTree
from cambrian.errors import InvalidAgent, UsageError
from cambrian.text import neutralise

MAX_TITLE = 120
MAX_HYPOTHESIS = 2000
MAX_BLOCKS = 200
MAX_PATH = 120
MAX_UNREAD = 20
FORMATS = frozenset(
    (
        *("search/replace", "whole file", "unified diff", "apply_patch", "tags", "json", "mixed"),
        "other",
    )
)
"""How the changes of an edit came; `other` for what a rewritten improver made up."""


class EditError(UsageError):
    """An edit that is malformed or does not apply; the message is fit to be shown to a model."""


@dataclass(frozen=True)
class Edit:
    """A proposed rewrite.

    Attributes:
        title: one line, at most 120 characters.
        hypothesis: why it should help, at most 2,000 characters.
        predicted_gain: expected change of the mean normalised score.
        confidence: probability in [0, 1] that there is a gain.
        files: whole files by path; None removes one. Applied first.
        blocks: replacements, applied in order.
        format: how a model wrote the changes, one of `FORMATS`; "" where nobody did.
        unread: what of a model's changes could not be read, in words. Such an edit is not whole and
            does not `apply`; `parts` gives what of it does.
    """

    title: str
    hypothesis: str
    predicted_gain: float = 0.0
    confidence: float = 0.5
    files: Mapping[str, str | None] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    format: str = ""
    unread: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, given: object) -> Edit:
        """Check what came from outside.

        An improver that cannot read a model's answer returns {"problem": why} instead of an edit.

        Raises:
            EditError: something is missing, of the wrong type, too large or not finite; or it is
                a problem, with what the improver says of it.
        """
        if not isinstance(given, Mapping):
            raise EditError(f"an edit: expected an object; got {type(given).__name__}")
        known = {"title", "hypothesis", "predicted_gain", "confidence", "files", "blocks"}
        known |= {"format", "unread"}
        if isinstance(problem := given.get("problem"), str) and problem.strip():
            raise EditError("the answer: " + " ".join(neutralise(problem[:2000]).split())[:500])
        if unknown := set(map(str, given)) - known:
            raise EditError(f"an edit has {sorted(known)}; got also {sorted(unknown)[:5]}"[:500])
        files, blocks = _files(given.get("files", {})), _blocks(given.get("blocks", []))
        unread = _unread(given.get("unread", []))
        if not files and not blocks:
            if unread:
                raise EditError("the answer: " + "; ".join(unread)[:500])
            raise EditError("an edit: expected changed files or blocks; got neither")
        _check_total(files, blocks)
        return cls(
            title=_plain(given, "title", MAX_TITLE, lines=False),
            hypothesis=_plain(given, "hypothesis", MAX_HYPOTHESIS, lines=True),
            predicted_gain=_number(given, "predicted_gain", -10.0, 10.0, 0.0),
            confidence=_number(given, "confidence", 0.0, 1.0, 0.5),
            files=files,
            blocks=blocks,
            format=_format(given.get("format", "")),
            unread=unread,
        )

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object; `from_json` gives it back."""
        more: dict[str, Any] = {"format": self.format} if self.format else {}
        more |= {"unread": list(self.unread)} if self.unread else {}
        return {
            "title": self.title,
            "hypothesis": self.hypothesis,
            "predicted_gain": self.predicted_gain,
            "confidence": self.confidence,
            "files": dict(self.files),
            "blocks": [vars(block) | {} for block in self.blocks],
            **more,
        }


def apply(tree: SourceTree, edit: Edit) -> SourceTree:
    """The tree after the edit: all of it, or nothing.

    Raises:
        EditError: a block does not fit, some of it could not be read, or nothing would change.
        InvalidAgent: the result breaks a rule for source trees.
    """
    found = parts(tree, edit)
    if found.problems:
        raise EditError("\n".join(found.problems))
    changed = tree.replace(found.files)
    if changed == tree:
        raise EditError("the edit changes nothing: every file would stay as it is")
    return changed


def parts(files: Mapping[str, str], edit: Edit) -> Parts:
    """What of an edit can be made of some files, change by change; nothing is raised.

    The result is no agent yet: nobody has looked at whether it holds together.
    """
    found = apply_blocks(files, edit.files, edit.blocks)
    if edit.unread:
        problems = (*(f"the answer: {one}" for one in edit.unread), *found.problems)
        return replace(found, problems=problems)
    return found


def _plain(given: Mapping[str, Any], key: str, longest: int, *, lines: bool) -> str:
    """Text without control, format or surrogate characters, that is fit for a terminal."""
    value = given.get(key)
    if not isinstance(value, str):
        raise EditError(f"{key}: expected text; got {type(value).__name__}")
    if len(value) > 4 * longest:
        raise EditError(f"{key}: expected at most {longest} characters; got {len(value)}")
    kept = "".join(
        " " if char in "\n\t\r" and not (lines and char == "\n") else char
        for char in value.replace("\r\n", "\n")
        if char in "\n\t\r" or unicodedata.category(char)[0] != "C"
    ).strip()
    if not kept or len(kept) > longest:
        raise EditError(f"{key}: expected 1 to {longest} characters; got {len(kept)}")
    return kept


def _number(given: Mapping[str, Any], key: str, low: float, high: float, default: float) -> float:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EditError(f"{key}: expected a number; got {type(value).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise EditError(f"{key}: expected a finite number; got {value}")
    if not low <= value <= high:
        raise EditError(f"{key}: expected a number in [{low}, {high}]; got {str(value)[:20]}")
    return float(value)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise EditError(f"{what}: expected text; got {type(value).__name__}")
    if len(value) > MAX_BYTES:
        raise EditError(f"{what}: expected at most {MAX_BYTES} bytes; got {len(value)}")
    return value


def _path(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_PATH:
        raise EditError(f"expected a path of at most {MAX_PATH} characters; got {value!r:.60}")
    return value


def _files(given: object) -> dict[str, str | None]:
    if not isinstance(given, Mapping) or len(given) > MAX_FILES:
        raise EditError(f"files: expected an object of at most {MAX_FILES} paths")
    return {
        _path(path): None if text is None else _text(text, f"files[{path!r}]")
        for path, text in given.items()
    }


def _blocks(given: object) -> tuple[Block, ...]:
    if not isinstance(given, list | tuple) or len(given) > MAX_BLOCKS:
        raise EditError(f"blocks: expected a list of at most {MAX_BLOCKS}")
    blocks = []
    for number, item in enumerate(given, start=1):
        if not isinstance(item, Mapping) or set(item) != {"path", "search", "replace"}:
            raise EditError(f"block {number}: expected an object of path, search and replace")
        search = _text(item["search"], f"block {number}, search")
        replace = _text(item["replace"], f"block {number}, replace")
        blocks.append(Block(_path(item["path"]), search, replace))
    return tuple(blocks)


def _unread(given: object) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or len(given) > MAX_UNREAD:
        raise EditError(f"unread: expected a list of at most {MAX_UNREAD}")
    if not all(isinstance(one, str) for one in given):
        raise EditError("unread: expected texts")
    return tuple(" ".join(neutralise(one[:500]).split())[:200] or "?" for one in given)


def _format(given: object) -> str:
    if not isinstance(given, str):
        raise EditError(f"format: expected text; got {type(given).__name__}")
    return given if given in FORMATS or not given else "other"


def _check_total(files: Mapping[str, str | None], blocks: tuple[Block, ...]) -> None:
    total = sum(len(text) for text in files.values() if text)
    total += sum(len(block.search) + len(block.replace) for block in blocks)
    if total > 2 * MAX_BYTES:
        raise EditError(f"an edit: expected at most {2 * MAX_BYTES} characters; got {total}")


__all__ = ["Block", "Edit", "EditError", "InvalidAgent", "Parts", "apply", "parts"]
