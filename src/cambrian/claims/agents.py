"""The learners that claims are tried on: seed agents as they are, composed, or patched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cambrian.agents.compose import compose
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import IMPROVER, LEARNER, SourceTree
from cambrian.errors import UsageError

Maker = Callable[[], SourceTree]
"""Makes a learner's source tree when it is needed."""


def learner(tree: Mapping[str, str]) -> SourceTree:
    """The tree without its improver, which learns nothing."""
    return SourceTree({path: tree[path] for path in tree if path != IMPROVER})


def seed_agent(name: str) -> Maker:
    """A seed agent as it is."""
    return lambda: learner(load_seed(name))


def composed(*parts: tuple[str, dict[str, Any]], **knobs: Any) -> Maker:
    """The composed seed agent with these mechanisms (name, knobs), and knobs of its own or of the
    parts that it keeps."""
    return lambda: learner(compose(*parts, **knobs))


def patched(base: Maker, changes: Mapping[str, str], more: str = "") -> Maker:
    """A learner whose text has `changes` (old -> new, each old text once) and ends with `more`."""
    return lambda: _patched(base(), changes, more)


def _patched(tree: SourceTree, changes: Mapping[str, str], more: str) -> SourceTree:
    text = tree[LEARNER]
    for old, new in changes.items():
        if text.count(old) != 1:
            raise UsageError(
                f"expected this once in the learner's code, got it {text.count(old)} times; the "
                f"claim's patch needs a look: {old.strip()}"
            )
        text = text.replace(old, new)
    return tree.replace({LEARNER: text + more})
