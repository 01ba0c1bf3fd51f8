"""The mechanisms that a learner can adopt, read from their files and never imported."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from cambrian.agents.syntax import parse
from cambrian.errors import InvalidAgent, NotFound


@dataclass(frozen=True)
class Mechanism:
    """A building block from the literature.

    Attributes:
        name: of the file, as in `parts/<name>.py`.
        card: the literal `CARD` of the file: class, title, paper, year, claim, measured, hooks,
            knobs, tags, conflicts (names of mechanisms it excludes), and perhaps needs (tags that
            other parts must have for it to make sense).
        source: the file.
        weight: how likely it is to be picked, relative to the others.
    """

    name: str
    card: Mapping[str, Any]
    source: str
    weight: float = 1.0

    @property
    def cls(self) -> str:
        """The name of its class."""
        return str(self.card["class"])

    def to_json(self) -> dict[str, Any]:
        """What an improver is shown of it: its card, with its name."""
        return {**self.card, "name": self.name}

    @property
    def reference(self) -> str:
        """Its title with the first paper, for a sentence."""
        first = str(self.card["paper"]).split(";")[0].split(",")[0]
        return f"{self.card['title']} ({first})"


@functools.lru_cache(maxsize=128)
def read_card(source: str, path: str = "a part") -> Mapping[str, Any] | None:
    """The literal `CARD = {...}` of a file, or None where there is none that can be read.

    Raises:
        InvalidAgent: the file does not parse.
    """
    for node in parse(path, source).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "CARD" for target in node.targets
        ):
            try:
                card = ast.literal_eval(node.value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return None
            return MappingProxyType(card) if isinstance(card, dict) else None
    return None


@functools.cache
def catalogue() -> Mapping[str, Mechanism]:
    """Every file of the folder `mechanisms`, by name.

    Raises:
        InvalidAgent: one has no card.
    """
    found = {}
    for file in sorted(
        resources.files("cambrian.agents").joinpath("mechanisms").iterdir(), key=str
    ):
        name = file.name.removesuffix(".py")
        if not file.name.endswith(".py") or name == "__init__":
            continue
        source = file.read_text(encoding="utf-8")
        card = read_card(source, file.name)
        if card is None:
            raise InvalidAgent(f"{file.name}: expected a literal CARD = {{...}}; got none")
        found[name] = Mechanism(name, card, source)
    return MappingProxyType(found)


def mechanism(name: str) -> Mechanism:
    """One mechanism.

    Raises:
        NotFound: there is none of that name.
    """
    found = catalogue()
    if name not in found:
        raise NotFound(f"expected a mechanism of {', '.join(found)}; got {name!r}")
    return found[name]
