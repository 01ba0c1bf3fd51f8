"""What was decided, read once and then moved on from decision to decision.

What the search learns from must be a function of the archive as decided through a proposal, and
must not be read anew for each. A reader looks at each proposal once, or once more where it was
undecided when it was looked at (free order), or parked and tried again since.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this package; values are parameters.
from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import ClassVar

from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.archive.tables.clades import RUNS_OF_SUITE

_DECIDED = f"""
SELECT p.idx, p.state, p.operation, p.agent_id, json_extract(p.parents, '$[0]') AS parent,
       g.value, a.detail AS answers
FROM proposals p
LEFT JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'screen'
LEFT JOIN gate_rows a ON a.proposal_id = p.id AND a.gate = 'answers' AND a.verdict = 'fail'
WHERE p.idx > :after AND p.idx <= :through AND p.run_id IN ({RUNS_OF_SUITE})
  AND p.state IN ('admitted', 'rejected', 'failed_smoke', 'duplicate', 'parked')
ORDER BY p.idx
"""

_REOPENED = """
SELECT idx FROM proposals WHERE idx IN (SELECT value FROM json_each(:parked)) AND state <> 'parked'
"""


class Reader(ABC):
    """Learns from decided proposals, in the order in which they come to be known.

    What `_learn` keeps must not depend on that order, so that moving on gives what reading anew
    does; a smaller `through` than before reads anew.

    Attributes:
        sql: what is looked at: rows with idx and state at least, of the proposals after `:after` up
            to `:through`.
    """

    sql: ClassVar[str] = _DECIDED

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._through = -1
        self._undecided: set[int] = set()
        self._parked: set[int] = set()

    @abstractmethod
    def _learn(self, row: Row) -> None:
        """Take in one proposal that was judged, failed or ended as a duplicate: its idx, state,
        operation (JSON or None), agent_id, parent, value (its gain on the screen, None where it
        came to none), answers (whom it answered as, None unless it ended for that)."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop all that was learned."""

    def see(self, through: int) -> None:
        """Know what was decided through proposal `through`, and no more."""
        if through < self._through:
            self._through = -1
            self._undecided.clear()
            self._parked.clear()
            self._forget()
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
        for row in self._archive.database.rows(self.sql, {"after": after, "through": through}):
            if row["state"] == "parked":
                self._parked.add(row["idx"])
            else:
                self._learn(row)
