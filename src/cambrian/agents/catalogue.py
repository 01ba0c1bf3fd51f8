"""The mechanisms that a learner can adopt, read from their files and never imported."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from cambrian.agents.roles import FAMILIES
from cambrian.agents.syntax import parse
from cambrian.errors import InvalidAgent, NotFound


@dataclass(frozen=True)
class Mechanism:
    """A building block from the literature.

    Attributes:
        name: of the file, as in `parts/<name>.py`.
        card: the literal `CARD` of the file: role (of `agents.roles.ROLES`), title, paper, year,
            claim, measured, knobs, tags, kinds (of task), networks (names, or "any") and skeletons
            that it fits, and perhaps needs (tags that other parts must have for it to make sense)
            and version; with what the code says: class, hooks, and family, the folder's name.
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
    def role(self) -> str:
        """The place it fills in a learner (`agents.roles.ROLES`)."""
        return str(self.card["role"])

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


def outline(source: str, path: str = "a part") -> tuple[str, tuple[str, ...]]:
    """The class of a part's file, and which of its methods are hooks, in the protocol's order.

    Raises:
        InvalidAgent: the file does not parse, or has not just one public class.
    """
    classes = [
        node
        for node in parse(path, source).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    if len(classes) != 1:
        names = ", ".join(node.name for node in classes) or "none"
        raise InvalidAgent(f"{path}: expected one public class, the part; got {names}")
    methods = {node.name for node in classes[0].body if isinstance(node, ast.FunctionDef)}
    return classes[0].name, tuple(hook for hook in hook_names() if hook in methods)


@functools.cache
def hook_names() -> tuple[str, ...]:
    """The names of all hooks, in the order of `agents.part.Part`, which is read, not imported."""
    file = resources.files("cambrian.agents").joinpath("part.py")
    for node in parse("part.py", file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == "Part":
            return tuple(line.name for line in node.body if isinstance(line, ast.FunctionDef))
    raise InvalidAgent("part.py: expected a class Part; the installation is damaged")


def read_mechanism(name: str, family: str, source: str) -> Mechanism:
    """A mechanism of its file.

    Raises:
        InvalidAgent: it has no card, or not one public class.
    """
    card = read_card(source, f"{name}.py")
    if card is None:
        raise InvalidAgent(f"{name}.py: expected a literal CARD = {{...}}; got none")
    cls, hooks = outline(source, f"{name}.py")
    return Mechanism(name, {**card, "family": family, "class": cls, "hooks": list(hooks)}, source)


@functools.cache
def catalogue() -> Mapping[str, Mechanism]:
    """Every file of the families' folders in `mechanisms`, by name, in alphabetical order.

    Raises:
        InvalidAgent: one has no card, or two have the same name.
    """
    found: dict[str, Mechanism] = {}
    folder = resources.files("cambrian.agents").joinpath("mechanisms")
    for family in sorted(FAMILIES):
        for file in folder.joinpath(family).iterdir():
            name = file.name.removesuffix(".py")
            if not file.name.endswith(".py") or name == "__init__":
                continue
            if name in found:
                raise InvalidAgent(f"{name}.py: expected one mechanism of that name; got two")
            found[name] = read_mechanism(name, family, file.read_text(encoding="utf-8"))
    return MappingProxyType(dict(sorted(found.items())))


def mechanism(name: str) -> Mechanism:
    """One mechanism.

    Raises:
        NotFound: there is none of that name.
    """
    found = catalogue()
    if name not in found:
        raise NotFound(f"expected a mechanism of {', '.join(found)}; got {name!r}")
    return found[name]
