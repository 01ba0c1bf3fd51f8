"""What the archive has learned about mechanisms: which grafts paid, which were never tried.

Adaptive operator selection (Fialho et al. 2010, "Analyzing bandit-based adaptive operator
selection mechanisms"): a mechanism is picked with probability proportional to exp(u / T), where
u = mean gain + c/√(1 + tries) is an optimistic bound in the manner of UCB1 (Auer et al. 2002).
"""

# ruff: noqa: S608 -- SQL is put together from constants of this package; values are parameters.
from __future__ import annotations

import json
import math
from bisect import insort

from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.archive.tables.clades import RUNS_OF_SUITE

TEMPERATURE = 0.05
OPTIMISM = 0.1
FAILED = -0.1
"""The gain of a graft whose learner did not get through the screen's first run."""

_TRIED = f"""
SELECT p.idx, p.state, p.operation, g.value FROM proposals p
LEFT JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'screen'
WHERE p.idx > :after AND p.idx <= :through AND p.operation IS NOT NULL
  AND p.run_id IN ({RUNS_OF_SUITE})
  AND p.state IN ('admitted', 'rejected', 'failed_smoke', 'parked')
ORDER BY p.idx
"""

_REOPENED = """
SELECT idx FROM proposals WHERE idx IN (SELECT value FROM json_each(:parked)) AND state <> 'parked'
"""


class Experience:
    """What came of grafts, as decided through a proposal.

    Read once, then moved on from decision to decision: each proposal is looked at once, or once
    more where it was undecided when it was looked at (free order), or parked and tried again since.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._through = -1
        self._undecided: set[int] = set()
        self._parked: set[int] = set()
        self._gains: dict[str, list[tuple[int, float]]] = {}
        self._weights: dict[str, float] = {}

    def gains(self, through: int) -> dict[str, list[float]]:
        """For each mechanism that was grafted, the gains over the parent when the screen was passed
        or failed, in the order of proposals, as decided through proposal `through`; where several
        were put in at once each has an equal share."""
        self._see(through)
        return {name: [gain for _, gain in found] for name, found in self._gains.items()}

    def weights(self, through: int) -> dict[str, float]:
        """How likely each mechanism should be picked next; one never tried has that of no gain."""
        self._see(through)
        for name in self._gains.keys() - self._weights.keys():
            self._weights[name] = _weight([gain for _, gain in self._gains[name]])
        return dict(sorted(self._weights.items()))

    def _see(self, through: int) -> None:
        if through < self._through:
            self._through = -1
            self._undecided.clear()
            self._parked.clear()
            self._gains.clear()
            self._weights.clear()
        before, self._through = self._through, through
        waiting = {one.idx for one in self._archive.proposals.undecided() if one.idx <= through}
        for index in sorted((self._undecided | self._reopened()) - waiting):
            self._look(index - 1, index)
        self._undecided = waiting
        if through > before:
            self._look(before, through)

    def _reopened(self) -> set[int]:
        """Those that were parked and are not any more: undecided again, or decided since."""
        if not self._parked:
            return set()
        parked = {"parked": json.dumps(sorted(self._parked))}
        found = {row["idx"] for row in self._archive.database.rows(_REOPENED, parked)}
        self._parked -= found
        return found

    def _look(self, after: int, through: int) -> None:
        for row in self._archive.database.rows(_TRIED, {"after": after, "through": through}):
            if row["state"] == "parked":
                self._parked.add(row["idx"])
            else:
                self._learn(row)

    def _learn(self, row: Row) -> None:
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
