"""The rows of proposals: reading them, and the one place that changes a column of one.

What is undecided is asked for on every step of a run, so it is kept while this process is the only
writer (`archive.sqlite.cache`), and `_set` keeps that copy true.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cambrian.archive.records import Proposal
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, decode, encode, storable
from cambrian.archive.tables.clades import RUNS_OF_SUITE
from cambrian.errors import NotFound, Refused

_JSON = frozenset({"edit", "operation", "outcome"})


@dataclass
class UnderWay:
    """What is asked for on every step: the undecided proposals by index, and the next index."""

    undecided: dict[int, Proposal]
    following: int


class ProposalRows:
    """What can be asked of proposals; `Proposals` adds the verbs that change them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: RowCache[str, UnderWay] = RowCache(database, 1)
        self._admitted: RowCache[int | None, dict[str, list[int]]] = RowCache(database, 1)

    def under_way(self) -> UnderWay:
        """The undecided proposals and the next index (cached for the only writer)."""
        return self._known.get("", self._look)

    def _look(self) -> UnderWay:
        rows = self._database.rows(
            "SELECT * FROM proposals WHERE state IN ('open', 'proposed', 'ready') ORDER BY idx"
        )
        # Indices have no gaps (`open` sees to that), so the last one tells.
        following = self._database.value("SELECT ifnull(max(idx), -1) + 1 FROM proposals")
        return UnderWay({row["idx"]: Proposal.of(row) for row in rows}, int(following))

    def get(self, proposal_id: int) -> Proposal:
        """A proposal by its row id.

        Raises:
            NotFound: no such proposal.
        """
        found = None
        if self._database.sole_writer:
            undecided = self.under_way().undecided.values()
            found = next((one for one in undecided if one.id == proposal_id), None)
        found = found or self._find("id", proposal_id)
        if found is None:
            raise NotFound(f"expected the id of a proposal in this archive, got {proposal_id}")
        return found

    def at(self, idx: int) -> Proposal | None:
        """Proposal number `idx`, or None if it has not been opened."""
        if self._database.sole_writer:
            known = self.under_way()
            if idx in known.undecided or idx >= known.following:
                return known.undecided.get(idx)
        return self._find("idx", idx)

    def undecided(self) -> list[Proposal]:
        """Proposals that are not terminal, by index."""
        return [one for _, one in sorted(self.under_way().undecided.items())]

    def count_undecided(self) -> int:
        """How many are not terminal."""
        return len(self.under_way().undecided)

    def count_admitted(self, reason: str) -> int:
        """How many were admitted for exactly this reason."""
        found = self._database.value(
            "SELECT n FROM tallies WHERE name = ?", (f"admitted.{reason}",)
        )
        return int(found or 0)

    def admitted_through(self, through: int, reasons: Sequence[str]) -> tuple[int, int]:
        """How many proposals up to an index were admitted by the current suite, and how many of
        them for one of these reasons."""
        suite = self._database.value("SELECT id FROM suites WHERE current = 1")
        found = self._admitted.get(suite, self._by_reason)
        counts = {reason: bisect_right(places, through) for reason, places in found.items()}
        return sum(counts.values()), sum(counts.get(reason, 0) for reason in reasons)

    def _by_reason(self) -> dict[str, list[int]]:
        """The indices of what the current suite admitted, in order, by reason."""
        found: dict[str, list[int]] = {}
        for row in self._database.rows(
            "SELECT idx, ifnull(reason, '') AS reason FROM proposals "
            f"WHERE state = 'admitted' AND run_id IN ({RUNS_OF_SUITE}) ORDER BY idx"
        ):
            found.setdefault(row["reason"], []).append(row["idx"])
        return found

    def admitted_elsewhere(self, reasons: Sequence[str]) -> tuple[int, int]:
        """How many proposals were admitted by other suites than the current one, and how many of
        them for one of these reasons; reads theirs only."""
        marks = ", ".join("?" * len(reasons))
        row = self._database.row(
            f"SELECT count(*) AS admitted, total(reason IN ({marks})) AS special FROM proposals "
            "WHERE state = 'admitted' AND run_id IN "
            f"(SELECT id FROM runs WHERE id NOT IN ({RUNS_OF_SUITE}))",
            tuple(reasons),
        )
        return (0, 0) if row is None else (int(row["admitted"]), int(row["special"]))

    def count_judged(self) -> int:
        """How many were judged by the current suite; reads them all."""
        return int(
            self._database.value(
                "SELECT count(*) FROM proposals WHERE state IN ('admitted', 'rejected') "
                f"AND run_id IN ({RUNS_OF_SUITE})"
            )
        )

    def judged_before(self, idx: int) -> tuple[int, int]:
        """How many proposals with a smaller index were judged, and admitted; reads all of them."""
        row = self._database.row(
            "SELECT count(*) AS judged, ifnull(sum(state = 'admitted'), 0) AS admitted "
            "FROM proposals WHERE idx < ? AND state IN ('admitted', 'rejected')",
            (idx,),
        )
        assert row is not None
        return row["judged"], row["admitted"]

    def decided_through(self) -> int:
        """The largest k such that proposals 0..k are all terminal; -1 if there is none."""
        known = self.under_way()
        return min(known.undecided, default=known.following) - 1

    def select(self, *, run_id: int | None = None, limit: int | None = None) -> list[Proposal]:
        """Proposals by index, of one run or of all; `limit` None or 0: no limit."""
        where = "" if run_id is None else "WHERE run_id = :run"
        rows = self._database.rows(
            f"SELECT * FROM proposals {where} ORDER BY idx LIMIT :limit",
            {"run": run_id, "limit": limit or -1},
        )
        return [Proposal.of(row) for row in rows]

    def _find(self, column: str, value: int) -> Proposal | None:
        row = self._database.row(f"SELECT * FROM proposals WHERE {column} = ?", (value,))
        return None if row is None else Proposal.of(row)

    def _set(self, proposal: Proposal, **columns: Any) -> None:
        stored = {
            name: encode(value) if name in _JSON and value is not None else storable(value)
            for name, value in columns.items()
        }
        assignments = ", ".join(f"{name} = ?" for name in stored)
        self._database.execute(
            f"UPDATE proposals SET {assignments} WHERE id = ?", (*stored.values(), proposal.id)
        )
        self._keep_admitted(proposal, columns)
        if (kept := self._known.known("")) is None:
            return
        changes: dict[str, Any] = {**stored, **_decoded(stored)}
        now = replace(self.get(proposal.id), **changes)
        if not now.terminal:
            kept.undecided[now.idx] = now
        else:
            kept.undecided.pop(now.idx, None)

    def _keep_admitted(self, proposal: Proposal, columns: Mapping[str, Any]) -> None:
        """Keep the copy of `_by_reason` true."""
        if "admitted" not in (proposal.state, columns.get("state")):
            return
        suite = self._database.value("SELECT suite_id FROM runs WHERE id = ?", (proposal.run_id,))
        found = self._admitted.known(suite)
        if found is None or proposal.state == "admitted":
            self._admitted.clear()
        else:
            insort(found.setdefault(columns.get("reason") or "", []), proposal.idx)

    def _require(self, proposal: Proposal, *states: str) -> None:
        if proposal.state not in states:
            raise Refused(
                f"proposal {proposal.idx} is {proposal.state}: expected {' or '.join(states)}"
            )


def _decoded(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is read back of JSON columns."""
    return {name: decode(stored[name]) for name in _JSON & stored.keys()}
