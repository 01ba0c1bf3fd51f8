"""Null controls: twins of members that must not win, and what came of them.

A null is no agent, no proposal and no evaluation of a member: nothing that decides reads these
tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cambrian.archive.sqlite.database import Database, Row, encode
from cambrian.errors import NotFound
from cambrian.measurement import Measurement

NullKind = Literal["identical", "random-stream"]
NullState = Literal["waiting", "judged", "failed", "broken"]
_KEPT = ("benchmark", "version", "stage", "seed", "verdict", "score", "raw", "flops", "cpu_s")


@dataclass(frozen=True, kw_only=True)
class Null:
    """One twin of a member.

    Attributes:
        idx: the proposal that it was due with.
        agent_id: the member whose twin it is.
        offset: what its learner's seed is moved by; 0 for an identical twin.
        units: how many evaluations it takes.
        state: `failed`: its learner failed. `broken`: our machine broke on it, again and again.
    """

    id: int
    run_id: int
    idx: int
    kind: NullKind
    agent_id: str
    offset: int
    units: int
    state: NullState
    created_at: float

    @classmethod
    def of(cls, row: Row) -> Null:
        """From a row of `nulls`."""
        return cls(**row)


@dataclass(frozen=True, kw_only=True)
class NullEvaluation:
    """One evaluation of a twin; fields as of `Measurement`."""

    null_id: int
    benchmark: str
    version: str
    stage: str
    seed: int
    verdict: str
    reason: str
    score: float | None
    raw: float | None
    flops: int | None
    cpu_s: float | None
    state_bytes: int | None
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]


class Nulls:
    """The verbs on null controls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self, kind: NullKind, *, run_id: int, idx: int, agent_id: str, offset: int, units: int
    ) -> Null:
        """Note a twin that is to be judged; the one that was noted for this proposal before, if one
        was."""
        database = self._database
        with database.transaction():
            known = database.row("SELECT * FROM nulls WHERE idx = ? AND kind = ?", (idx, kind))
            if known is not None:
                return Null.of(known)
            row: Row = {
                "run_id": run_id,
                "idx": idx,
                "kind": kind,
                "agent_id": agent_id,
                "offset": offset,
                "units": units,
                "state": "waiting",
                "created_at": database.now(),
            }
            number = database.insert("nulls", row)
        return Null(id=number, **row)

    def get(self, null_id: int) -> Null:
        """A twin by its id.

        Raises:
            NotFound: no such twin.
        """
        row = self._database.row("SELECT * FROM nulls WHERE id = ?", (null_id,))
        if row is None:
            raise NotFound(f"expected the id of a null control, got {null_id}")
        return Null.of(row)

    def all(self) -> list[Null]:
        """Every twin, in the order of proposals."""
        rows = self._database.rows("SELECT * FROM nulls ORDER BY idx, kind")
        return [Null.of(row) for row in rows]

    def pending(self) -> tuple[int, int]:
        """How many twins wait to be judged, and how many evaluations these may take yet."""
        row = self._database.row(
            "SELECT count(*) AS nulls, ifnull(sum(units - (SELECT count(*) FROM null_evaluations "
            "e WHERE e.null_id = nulls.id)), 0) AS units FROM nulls WHERE state = 'waiting'"
        )
        assert row is not None
        return int(row["nulls"]), int(row["units"])

    def record(self, null_id: int, measured: Measurement) -> bool:
        """Keep what was measured of a twin; False if that is there already, or is no verdict."""
        if measured.verdict == "broken":
            return False
        database = self._database
        with database.step():
            same = (null_id, measured.benchmark, measured.stage, measured.seed)
            known = database.value(
                "SELECT 1 FROM null_evaluations "
                "WHERE null_id = ? AND benchmark = ? AND stage = ? AND seed = ?",
                same,
            )
            if known is not None:
                return False
            database.insert(
                "null_evaluations",
                {
                    "null_id": null_id,
                    **{name: getattr(measured, name) for name in _KEPT},
                    "state_bytes": measured.state_bytes,
                    "reason": measured.explained,
                    "metrics": encode(dict(measured.metrics)),
                    "provenance": encode(dict(measured.provenance)),
                    "created_at": database.now(),
                },
            )
        return True

    def close(self, null_id: int, state: NullState) -> None:
        """Say how a twin ended."""
        with self._database.step():
            self._database.execute("UPDATE nulls SET state = ? WHERE id = ?", (state, null_id))

    def evaluations(self, null_id: int) -> list[NullEvaluation]:
        """What was measured of a twin, by stage, benchmark and seed."""
        rows = self._database.rows(
            "SELECT null_id, benchmark, version, stage, seed, verdict, reason, score, raw, flops, "
            "cpu_s, state_bytes, metrics, provenance FROM null_evaluations WHERE null_id = ? "
            "ORDER BY stage, benchmark, seed",
            (null_id,),
        )
        return [
            NullEvaluation(
                **row | {name: json.loads(row[name]) for name in ("metrics", "provenance")}
            )
            for row in rows
        ]
