"""A parent as recombination sees it: its learner's code, its parts, and what may be tuned."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cambrian.agents.catalogue import outline, read_card
from cambrian.agents.edits import EditError
from cambrian.agents.recombine.knobs import Knob, Value, knobs_of_card, knobs_of_ranges, literal
from cambrian.agents.recombine.surgery import LearnerCode, Part
from cambrian.agents.roles import exclusive, required
from cambrian.agents.tree import LEARNER, SourceTree
from cambrian.errors import InvalidAgent

PROTOCOL = 3
"""The version of the hooks (`agents.part.PARTS_PROTOCOL`) that the catalogue's mechanisms have."""
_ROLE_OF_HOOK = {
    "network": "network",
    "base_loss": "loss",
    "update": "update",
    "optimise": "optimiser",
    "averaged": "average",
    "combine": "ensemble",
    "meta_step": "meta",
    "act": "control",
}
"""What a part must be that has lost its card in a rewriting."""


@dataclass(frozen=True)
class Agent:
    """A source tree being changed: `files` are the tree's, with other text where it was changed."""

    files: Mapping[str, str]
    code: LearnerCode

    @classmethod
    def of(cls, tree: SourceTree) -> Agent:
        """Raises EditError where there is neither a list of parts nor a knob."""
        agent = cls(dict(tree), LearnerCode(tree[LEARNER]))
        if not agent.code.is_composed and not agent.knobs:
            raise EditError(
                "learner.py: expected a list assigned to `parts`, or a dataclass Knobs with a "
                "literal RANGES; found neither, so there is nothing to recombine"
            )
        return agent

    @cached_property
    def knobs(self) -> dict[str, Knob]:
        """The learner's own knobs that have both a literal default and a range."""
        ranges, values = knobs_of_ranges(self.code.ranges()), self.code.knobs()
        return {name: knob for name, knob in ranges.items() if name in values}

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of its learner, in the order in which hooks call them."""
        return self.code.parts

    @cached_property
    def protocol(self) -> int:
        """The version of the hooks that its learner calls; 1 for those that do not say."""
        given = self.code.constant("PARTS_PROTOCOL")
        return given if isinstance(given, int) else 1

    @cached_property
    def skeleton(self) -> str:
        """Which sort of learner its parts make up: stream, meta, control."""
        given = self.code.constant("SKELETON")
        return given if isinstance(given, str) else "stream"

    @property
    def optional(self) -> tuple[Part, ...]:
        """The parts that the learner can do without."""
        return tuple(part for part in self.parts if not required(self.role(part)))

    def card(self, part: Part) -> Mapping[str, object]:
        """The card of the agent's own copy of a part; empty where it has none."""
        source = self.source(part.module)
        return (read_card(source) if source else None) or {}

    def role(self, part: Part) -> str | None:
        """The place a part fills, as its card says, else its hooks; None for most of version 1."""
        given = self.card(part).get("role")
        if isinstance(given, str):
            return given
        try:
            _, hooks = outline(self.source(part.module) or "")
        except InvalidAgent:
            return None
        return next((_ROLE_OF_HOOK[hook] for hook in hooks if hook in _ROLE_OF_HOOK), None)

    def source(self, module: str) -> str | None:
        """The agent's own copy of a part."""
        return self.files.get(f"parts/{module}.py")

    def part_knobs(self, part: Part) -> dict[str, Knob]:
        """What may be tuned of a part, as its own copy says; nothing if it has no card."""
        source = self.source(part.module)
        arguments = _arguments(source, part.cls) if source else {}
        knobs = knobs_of_card(read_card(source)) if source else {}
        return {name: knob for name, knob in knobs.items() if name in arguments}

    def part_value(self, part: Part, knob: Knob) -> Value | None:
        """A knob's value: of the call, else the constructor's default, else the card's."""
        if knob.name in part.values:
            return part.values[knob.name]
        default = _arguments(self.source(part.module) or "", part.cls).get(knob.name)
        return knob.default if default is None else default

    def conflicts(self, module: str, card: Mapping[str, object] | None) -> bool:
        """Whether a mechanism and one of the agent's parts exclude each other: they fill a place
        that holds one, or (protocol 1) their cards say so by name."""
        theirs, role = _names(card), card.get("role") if card else None
        for part in self.parts:
            if part.module in theirs or module in _names(self.card(part)):
                return True
            if exclusive(role) and self.role(part) == role:
                return True
        return False

    def with_knobs(self, values: Mapping[str, Value]) -> Agent:
        """The same agent with other values of the named knobs; its files are those of before."""
        return Agent(self.files, self.code.with_knobs(values))

    def with_parts(self, parts: Sequence[Part], sources: Mapping[str, str] | None = None) -> Agent:
        """Another list of parts; new parts bring their `sources` (module -> text).

        The files of parts that no file imports any more are dropped.
        """
        taken = {part.cls for part in parts}
        if len(taken) != len(parts):
            raise EditError("two parts would have the same class name")
        code = self.code.with_parts(parts)
        files = dict(self.files)
        for module, text in (sources or {}).items():
            files[f"parts/{module}.py"] = text
        files[LEARNER] = code.source
        for part in self.parts:
            path = f"parts/{part.module}.py"
            others = (text for name, text in files.items() if name != path)
            if not _imported(part.module, others):
                files.pop(path, None)
        return Agent(files, code)

    def with_part(self, old: Part, values: Mapping[str, Value]) -> Agent:
        """The same part with other literal keywords."""
        new = [replace(p, values={**p.values, **values}) if p is old else p for p in self.parts]
        return self.with_parts(new)

    def changes(self, tree: SourceTree) -> dict[str, str | None]:
        """What an edit of `tree` has to say to arrive here."""
        files: dict[str, str | None] = {path: None for path in tree if path not in self.files}
        now = {**self.files, LEARNER: self.code.source}
        files |= {path: text for path, text in now.items() if tree.get(path) != text}
        return files


def _names(card: Mapping[str, object] | None) -> list[object]:
    given = card.get("conflicts") if card else None
    return given if isinstance(given, list) else []


def _imported(module: str, texts: Iterable[str]) -> bool:
    """Whether a text names `parts.<module>` (as a word, anywhere: rather one file too many)."""
    needle = f"parts.{module}"
    return any(
        not text[at + len(needle) : at + len(needle) + 1].isidentifier()
        for text in texts
        for at in _occurrences(text, needle)
    )


def _occurrences(text: str, needle: str) -> Iterable[int]:
    at = text.find(needle)
    while at >= 0:
        yield at
        at = text.find(needle, at + 1)


@functools.lru_cache(maxsize=128)
def _arguments(source: str, cls: str) -> Mapping[str, Value | None]:
    """Names of a class's constructor arguments, with their defaults where these are literals."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == cls:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    names = [argument.arg for argument in method.args.args][1:]
                    given = [literal(ast.unparse(default)) for default in method.args.defaults]
                    missing: list[Value | None] = [None] * (len(names) - len(given))
                    return dict(zip(names, [*missing, *given], strict=False))
    return {}
