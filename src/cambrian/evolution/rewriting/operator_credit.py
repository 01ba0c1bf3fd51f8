"""What the archive has learned about mechanisms: which grafts paid, which were never tried.

Adaptive operator selection (Fialho et al. 2010, "Analyzing bandit-based adaptive operator
selection mechanisms"): a mechanism is picked with probability proportional to exp(u / T), where
u = mean gain + c/√(1 + tries) is an optimistic bound in the manner of UCB1 (Auer et al. 2002).
"""

from __future__ import annotations

import json
import math
from bisect import insort

from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.evolution.rewriting.decided import Reader

TEMPERATURE = 0.05
OPTIMISM = 0.1
FAILED = -0.1
"""The gain of a graft whose learner did not get through the screen's first run."""


class Experience(Reader):
    """What came of grafts, as decided through a proposal."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive)
        self._gains: dict[str, list[tuple[int, float]]] = {}
        self._weights: dict[str, float] = {}

    def gains(self, through: int) -> dict[str, list[float]]:
        """For each mechanism that was grafted, the gains over the parent when the screen was passed
        or failed, in the order of proposals, as decided through proposal `through`; where several
        were put in at once each has an equal share."""
        self.see(through)
        return {name: [gain for _, gain in found] for name, found in self._gains.items()}

    def weights(self, through: int) -> dict[str, float]:
        """How likely each mechanism should be picked next; one never tried has that of no gain."""
        self.see(through)
        for name in self._gains.keys() - self._weights.keys():
            self._weights[name] = _weight([gain for _, gain in self._gains[name]])
        return dict(sorted(self._weights.items()))

    def _forget(self) -> None:
        self._gains.clear()
        self._weights.clear()

    def _learn(self, row: Row) -> None:
        if row["state"] == "duplicate" or row["operation"] is None:
            return
        operation = json.loads(row["operation"])
        names = mechanisms_of(operation)
        for name in names:
            gain = FAILED if row["value"] is None else float(row["value"]) / len(names)
            insort(self._gains.setdefault(name, []), (row["idx"], gain))
            self._weights.pop(name, None)


def mechanisms_of(operation: object) -> list[str]:
    """The mechanisms that an operation, or a chain of them, put into a learner, in order; each
    once."""
    if not isinstance(operation, dict):
        return []
    steps = operation.get("chain", [operation])
    found = [
        step["mechanism"]
        for step in steps
        if isinstance(step, dict) and step.get("mechanism") and step.get("kind") != "remove"
    ]
    return list(dict.fromkeys(map(str, found)))


_UNTRIED = math.exp(OPTIMISM / TEMPERATURE)


def _weight(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.exp((mean + OPTIMISM / math.sqrt(1 + len(values))) / TEMPERATURE) / _UNTRIED
