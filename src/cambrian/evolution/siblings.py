"""Siblings that differ in one part alone: an ablation that nobody had to run.

Of recombined siblings it is seen from what was done to their parent: the same operations, and one
that put in or took out a part. Of those that a model wrote it is seen from their code: the same
files, but for the part and the lines of the learner that name it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from cambrian.agents.tree import LEARNER

_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Changes:
    """How a sibling came of its parent: operations (each as JSON), or the code that it is."""

    operations: Counter[str] = field(default_factory=Counter)
    code: Mapping[str, str] = field(default_factory=dict)


def changes_of(operation: str | None, code: Mapping[str, str]) -> Changes:
    """Those of a proposal's operation (JSON) or, without one, of its code."""
    given = json.loads(operation) if operation else None
    if not isinstance(given, dict):
        return Changes(code=code)
    steps = [one for one in given.get("chain", [given]) if isinstance(one, dict)]
    kept = [{k: v for k, v in one.items() if k not in ("of", "made")} for one in steps]
    return Changes(Counter(json.dumps(one, sort_keys=True) for one in kept))


def only_in(one: Changes, other: Changes) -> str:
    """The part that one sibling has and the other has not, if that is all; else ""."""
    if one.operations and other.operations:
        return _by_operations(one.operations, other.operations)
    return _by_code(one.code, other.code) if one.code and other.code else ""


def _by_operations(one: Counter[str], other: Counter[str]) -> str:
    more, less = one - other, other - one
    if (more.total(), less.total()) == (1, 0):
        wanted, changed = "graft", next(iter(more))
    elif (more.total(), less.total()) == (0, 1):
        wanted, changed = "remove", next(iter(less))
    else:
        return ""
    step = json.loads(changed)
    alone = step.get("kind") == wanted and not step.get("removed")
    return str(step.get("mechanism", "")) if alone else ""


def _by_code(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    extra = [path for path in one if path not in other]
    if len(extra) != 1 or not extra[0].startswith("parts/") or len(one) != len(other) + 1:
        return ""
    path, name = extra[0], extra[0].removeprefix("parts/").removesuffix(".py")
    rest = [p for p in other if p != LEARNER and p.endswith(".py")]
    if any(one[p] != other[p] for p in rest):
        return ""
    words = [name, *_CLASS.findall(one[path])]
    named = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b")

    def plain(text: str) -> list[str]:
        return [row for row in text.split("\n") if row.strip() and not named.search(row)]

    return name if plain(one[LEARNER]) == plain(other[LEARNER]) else ""
