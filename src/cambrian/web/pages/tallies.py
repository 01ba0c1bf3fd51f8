"""What came of each mechanism, counted on and never anew: decisions are not taken back.

A tally is kept for each archive while the server runs, and moved on by what was decided since. It
is dropped where something may have changed behind it: another suite (scores are rescored), a parked
proposal that was taken up again, another archive in the same folder.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cambrian.archive import Archive

_GAINS = """
SELECT p.operation, p.state, g.value FROM proposals p
LEFT JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'improvement'
WHERE p.idx > ? AND p.idx <= ? AND p.operation LIKE '%"mechanism"%'
"""
_MEMBERS = """
SELECT id, number, lower FROM agents
WHERE number > ? AND (status = 'seed' OR status = 'admitted' AND lower IS NOT NULL) ORDER BY number
"""


@dataclass
class Told:
    """What came of a mechanism: in how many proposals, how many of these were admitted, and the
    paired gains to the parent, as far as they were measured, as count, sum and sum of squares."""

    proposed: int = 0
    admitted: int = 0
    gains: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, state: str, gain: float | None) -> None:
        """Another proposal that was decided."""
        self.proposed += 1
        self.admitted += state == "admitted"
        if gain is not None:
            self.gains += 1
            self.total += gain
            self.squares += gain * gain

    def gain(self) -> dict[str, float | None] | None:
        """The mean gain with Student's t interval (95 %); None without a gain, no bounds with
        one."""
        if not self.gains:
            return None
        mean = self.total / self.gains
        if self.gains == 1:
            return {"mean": mean, "lower": None, "upper": None}
        from cambrian.evaluators.statistics.intervals import CONFIDENCE, quantile

        spread = max(self.squares - self.gains * mean * mean, 0.0) / (self.gains - 1)
        reach = quantile(CONFIDENCE, self.gains - 1) * (spread / self.gains) ** 0.5
        return {"mean": mean, "lower": mean - reach, "upper": mean + reach}


@dataclass
class Tally:
    """What was counted through a proposal, and the champions through an agent's number: that before
    the first seed agent without a score, for one may come. Of the champions the first `settled` are
    through that number."""

    about: tuple[Any, ...]
    through: int = -1
    number: int = 0
    best: float = float("-inf")
    mechanisms: dict[str, Told] = field(default_factory=dict)
    champions: list[str] = field(default_factory=list)
    settled: int = 0


_kept: dict[str, Tally] = {}
_lock = threading.Lock()


def tally(archive: Archive) -> Tally:
    """The tally of an archive as decided by now."""
    with _lock:
        about = _about(archive)
        found = _kept.get(str(archive.path))
        if found is None or found.about != about:
            found = _kept[str(archive.path)] = Tally(about)
        _move_on(archive, found)
        return found


def _about(archive: Archive) -> tuple[Any, ...]:
    suite, run = (
        archive.suites.current(),
        archive.database.value("SELECT min(started_at) FROM runs"),
    )
    file = (archive.path / "archive.db").stat()
    return suite and suite.id, run, archive.counts()["parked"], file.st_ino


def _move_on(archive: Archive, found: Tally) -> None:
    """Read all first and add it then: a page that runs out of time counts nothing twice."""
    last = archive.proposals.decided_through()
    connection = archive.database.connection
    decided = [
        (put_in(json.loads(operation)), state, value)
        for operation, state, value in connection.execute(_GAINS, (found.through, last))
    ]
    members = connection.execute(_MEMBERS, (found.number,)).fetchall()
    for names, state, value in decided:
        for name in names:
            found.mechanisms.setdefault(name, Told()).add(state, value)
    found.through = max(found.through, last)
    del found.champions[found.settled :]
    best, waits = found.best, False
    for agent_id, number, lower in members:
        waits = waits or lower is None
        if lower is not None and lower > best:
            best = lower
            found.champions.append(agent_id)
        if not waits:
            found.number, found.best, found.settled = number, best, len(found.champions)


def put_in(operation: Any) -> set[str]:
    """The mechanisms that an operation puts into an agent."""
    if not isinstance(operation, dict):
        return set()
    steps = operation.get("chain", [operation])
    return {
        str(step["mechanism"])
        for step in steps
        if isinstance(step, dict) and step.get("mechanism") and step.get("kind") != "remove"
    }
