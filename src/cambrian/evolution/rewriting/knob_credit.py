"""What the archive has learned about tuning and about kinds of operation.

A function of the archive as decided through a proposal, moved on from decision to decision; nothing
is kept that could not be read again, so that a run that is killed goes on as it would have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cambrian.agents.recombine import Learned
from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.evolution.rewriting.decided import Reader
from cambrian.evolution.rewriting.kind_credit import KindCredit, kinds_of
from cambrian.evolution.rewriting.operator_credit import FAILED
from cambrian.evolution.rewriting.optimisers import Optimiser

NOTHING_MOVED = 1e-9
"""A gain on the screen that is no further from 0 than this is none: the learner scored as its
parent did."""
LEAST_WEIGHT = 0.05
"""The weight that no knob falls below."""

_Key = tuple[str, int]
"""A structure: its name and how many knobs it has."""


@dataclass(frozen=True)
class _Stand:
    """Where an agent stands in its structure, as an operation tells it."""

    name: str
    at: tuple[float, ...]

    @property
    def key(self) -> _Key:
        return self.name, len(self.at)

    @classmethod
    def read(cls, told: object) -> _Stand | None:
        """None where that is not told, or not in this form."""
        if not isinstance(told, dict):
            return None
        name, at = told.get("structure"), told.get("at")
        if not isinstance(name, str) or not isinstance(at, list):
            return None
        if not all(isinstance(place, int | float) and 0 <= place <= 1 for place in at):
            return None
        return cls(name, tuple(map(float, at)))


class KnobCredit(Reader):
    """What came of tuning, structure by structure, and of each kind of operation.

    The score of an agent is its parent's plus its gain on the screen, and 0 for a seed agent: the
    stream seeds of the screen are the same for all, so that the sum of gains along a line is the
    difference of its ends.
    """

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive)
        self._kinds = KindCredit()
        self._forget()

    def learned(self, parent: str, through: int, seed: int, optimise: bool) -> Learned:
        """What to tell recombination of an agent, as decided through proposal `through`.

        Args:
            seed: of the optimiser's draw, from 0 to 2³² - 1.
            optimise: whether knobs are tuned by the parent's structure's optimiser.
        """
        self.see(through)
        structure, points = "", list[list[float]]()
        stand = self._stands.get(parent) if optimise else None
        if stand is not None and stand in self._optimisers:
            structure, points = stand[0], self._optimisers[stand].ask(seed)
        knobs = {name: _weight(*counts) for name, counts in sorted(self._moves.items())}
        return Learned(self._kinds.favour(), optimise, knobs, structure if points else "", points)

    def _forget(self) -> None:
        self._kinds.forget()
        self._optimisers: dict[_Key, Optimiser] = {}
        self._stands: dict[str, _Key] = {}
        self._scores: dict[str, float] = {}
        self._moves: dict[str, tuple[int, int]] = {}

    def _learn(self, row: Row) -> None:
        operation = json.loads(row["operation"]) if row["operation"] else {}
        operation = operation if isinstance(operation, dict) else {}
        gain = _gain(row)
        if gain is None:
            if row["answers"] is not None:  # it cost a screen, and was nothing new
                self._kinds.learn(kinds_of(operation), 0.0)
            return
        score = self._scores.get(row["parent"], 0.0) + gain
        self._kinds.learn(kinds_of(operation), gain)
        self._count_moves(operation, gain)
        came_from, made = _Stand.read(operation.get("of")), _Stand.read(operation.get("made"))
        if row["state"] == "admitted":
            self._scores[row["agent_id"]] = score
        if came_from is None or made is None:
            return
        self._stands[row["parent"]] = came_from.key
        if row["state"] == "admitted":
            self._stands[row["agent_id"]] = made.key
        start = came_from.at if came_from.key == made.key else None
        optimiser = self._optimisers.setdefault(made.key, Optimiser(len(made.at)))
        optimiser.tell(row["idx"], made.at, score, start)

    def _count_moves(self, operation: Mapping[str, Any], gain: float) -> None:
        """How often each knob was moved by a plain tune, and how often that moved the score."""
        changes = operation.get("changes")
        if operation.get("kind") != "tune" or not isinstance(changes, dict):
            return
        acted = abs(gain) > NOTHING_MOVED
        for name in changes:
            tried, did = self._moves.get(name, (0, 0))
            self._moves[name] = tried + 1, did + acted


def _gain(row: Row) -> float | None:
    """The gain over the parent on the screen; None where a duplicate says nothing of it."""
    if row["state"] == "duplicate":
        same = row["answers"] is not None and row["parent"] in row["answers"]
        return 0.0 if same else None
    return FAILED if row["value"] is None else float(row["value"])


def _weight(tried: int, acted: int) -> float:
    """The share of a knob's moves that moved a score (Laplace's rule, from one that did)."""
    return max((acted + 1) / (tried + 1), LEAST_WEIGHT)
