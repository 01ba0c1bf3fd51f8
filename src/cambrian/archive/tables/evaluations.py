"""Evaluations: each (agent, benchmark, version, stage, seed) counts exactly once.

Sealed results live in tables of their own; every verb here takes `sealed` and never mixes the
two. Broken attempts are kept, and counted apart.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from cambrian.archive.records import Evaluation
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, Row, encode, storable
from cambrian.archive.tables.agents import Agents
from cambrian.archive.tables.clades import OF_SUITE, Nodes
from cambrian.archive.tables.series import pack, unpack
from cambrian.errors import NotFound, UsageError
from cambrian.measurement import COLUMNS, Array, Measurement

SCREEN = "screen"
"""The stage whose answers are compared."""

ANSWERING = """
SELECT DISTINCT g.id, g.number FROM screen_answers a JOIN evaluations e ON e.id = a.evaluation_id
JOIN agents g ON g.id = e.agent_id WHERE a.digest = ? AND (
    (g.status = 'seed' AND g.score IS NOT NULL)
    OR (g.status IN ('admitted', 'rejected') AND g.proposal_index <= ?)
) ORDER BY g.number
"""

KEPT = 1024
"""Agents whose evaluations are kept at most, while this process is the only writer."""

Made = TypeVar("Made")


class Evaluations:
    """The verbs on evaluations."""

    def __init__(self, database: Database, agents: Agents, nodes: Nodes) -> None:
        self._database = database
        self._agents = agents
        self._nodes = nodes
        self._known: RowCache[str, tuple[Evaluation, ...]] = RowCache(database, KEPT)
        self._made: RowCache[Any, Any] = RowCache(database, KEPT)

    def record(self, agent_id: str, record: Measurement, *, sealed: bool = False) -> bool:
        """Store a measurement of an agent and its series in one transaction.

        Returns:
            False if that (agent, benchmark, version, stage, seed) was recorded before, in which
            case nothing is stored. A broken attempt is always stored.

        Raises:
            NotFound: no such agent.
            UsageError: a score without the verdict `scored` or the reverse, a number that is
                not finite, or a series name used twice.
        """
        _check(agent_id, record)
        row = {
            **{name: getattr(record, name) for name in COLUMNS},
            "agent_id": agent_id,
            "reason": record.explained,
            "metrics": encode(dict(record.metrics)),
            "provenance": encode(dict(record.provenance)),
        }
        series = list(_series(record))
        answers = [{"name": n, **pack(n, array)} for n, array in record.predictions.items()]
        database = self._database
        with database.step():
            agent = self._agents.find(agent_id)
            if agent is None:
                raise NotFound(
                    f"expected an evaluation of an agent in this archive, got {agent_id!r}"
                )
            if record.verdict != "broken" and self.recorded(agent_id, record, sealed=sealed):
                return False
            row["created_at"] = database.now()
            evaluation_id = database.insert(_table("evaluations", sealed), row)
            if not sealed and record.verdict != "broken":
                self._recorded(row, evaluation_id)
            for one in series:
                database.insert(_table("series", sealed), {"evaluation_id": evaluation_id, **one})
            for one in answers:
                database.insert(
                    _table("predictions", sealed), {"evaluation_id": evaluation_id, **one}
                )
            if record.stage == SCREEN and not sealed and (digest := record.answers) is not None:
                database.insert(
                    "screen_answers", {"evaluation_id": evaluation_id, "digest": digest}
                )
            if agent.number is not None and not sealed:
                self._nodes.evaluated(agent.number, evaluation_id)
            if sealed:
                database.event(
                    "sealed.recorded",
                    agent_id=agent_id,
                    evaluation=evaluation_id,
                    benchmark=record.benchmark,
                    stage=record.stage,
                    seed=record.seed,
                    verdict=record.verdict,
                )
            else:  # the rest is the evaluation's: see `event_log`
                database.event("evaluation.recorded", evaluation=evaluation_id)
        return True

    def recorded(self, agent_id: str, record: Measurement, *, sealed: bool = False) -> bool:
        """Whether a result of this agent that counts is there already, for the same benchmark,
        version, stage and seed."""
        known = None if sealed else self._known.known(agent_id)
        if known is not None:
            return any(_key(one) == _key(record) for one in known)
        found = self._database.value(
            f"SELECT 1 FROM {_table('evaluations', sealed)} WHERE agent_id = ? AND benchmark = ? "
            "AND version = ? AND stage = ? AND seed = ? AND verdict <> 'broken'",
            (agent_id, record.benchmark, record.version, record.stage, record.seed),
        )
        return found is not None

    def of(
        self,
        agent_id: str,
        stage: str | None = None,
        *,
        sealed: bool = False,
        include_broken: bool = False,
    ) -> list[Evaluation]:
        """An agent's evaluations, by stage, benchmark, version and seed (not by time, which
        depends on the workers)."""
        if not sealed and not include_broken:
            return [one for one in self.known(agent_id) if stage in (None, one.stage)]
        conditions = ["agent_id = :agent"]
        conditions += [] if stage is None else ["stage = :stage"]
        conditions += [] if include_broken else ["verdict <> 'broken'"]
        rows = self._database.rows(
            f"SELECT * FROM {_table('evaluations', sealed)} WHERE {' AND '.join(conditions)} "
            "ORDER BY stage, benchmark, version, seed, id",
            {"agent": agent_id, "stage": stage},
        )
        return [Evaluation.of(row) for row in rows]

    def known(self, agent_id: str) -> tuple[Evaluation, ...]:
        """An agent's evaluations that count, in the same order; the same object for as long as no
        other was recorded, while this process is the only writer."""
        return self._known.get(agent_id, lambda: self._counted(agent_id))

    def made_of(self, agent_id: str, make: Callable[[tuple[Evaluation, ...]], Made]) -> Made:
        """What a function makes of an agent's evaluations that count; made once for as long as no
        other was recorded, while this process is the only writer."""
        rows, key = self.known(agent_id), (agent_id, make)
        found: tuple[tuple[Evaluation, ...], Made] | None = self._made.known(key)
        if found is None or found[0] is not rows:
            found = rows, make(rows)
            self._made.keep(key, found)
        return found[1]

    def _counted(self, agent_id: str) -> tuple[Evaluation, ...]:
        rows = self._database.rows(
            "SELECT * FROM evaluations WHERE agent_id = ? AND verdict <> 'broken' "
            "ORDER BY stage, benchmark, version, seed, id",
            (agent_id,),
        )
        return tuple(map(Evaluation.of, rows))

    def _recorded(self, row: Row, evaluation_id: int) -> None:
        """One more, of an agent whose evaluations are cached (a new agent's are: it has none)."""
        known = self._known.known(row["agent_id"])
        if known is None:
            return
        as_read = {name: storable(value) for name, value in row.items()}
        one = Evaluation.of({**as_read, "id": evaluation_id})
        self._known.keep(row["agent_id"], tuple(sorted([*known, one], key=_order)))

    def get(self, evaluation_id: int, *, sealed: bool = False) -> Evaluation:
        """An evaluation by its id.

        Raises:
            NotFound: no such evaluation.
        """
        row = self._database.row(
            f"SELECT * FROM {_table('evaluations', sealed)} WHERE id = ?", (evaluation_id,)
        )
        if row is None:
            raise NotFound(f"expected the id of an evaluation, got {evaluation_id}")
        return Evaluation.of(row)

    def series(self, evaluation_id: int, *, sealed: bool = False) -> dict[str, np.ndarray]:
        """Its curves and matrices by name, as they were recorded (dtype and shape).

        Raises:
            CambrianError: a blob is damaged.
        """
        rows = self._database.rows(
            f"SELECT * FROM {_table('series', sealed)} WHERE evaluation_id = ? ORDER BY name",
            (evaluation_id,),
        )
        return {row["name"]: unpack(row) for row in rows}

    def predictions(self, evaluation_id: int, *, sealed: bool = False) -> dict[str, np.ndarray]:
        """The arrays that were kept of its answers, by name and of the shapes in which they were
        stored (`evaluators.transcript.Transcript.packed`); empty where none were.

        Raises:
            CambrianError: a blob is damaged.
        """
        rows = self._database.rows(
            f"SELECT * FROM {_table('predictions', sealed)} WHERE evaluation_id = ? ORDER BY name",
            (evaluation_id,),
        )
        return {row["name"]: unpack(row) for row in rows}

    def answers(self, agent_id: str) -> dict[tuple[str, str, int], bytes]:
        """What tells an agent's answers on the screen from others' (`Measurement.answers`), by
        benchmark, version and seed; only of those that were kept."""
        rows = self._database.rows(
            "SELECT e.benchmark, e.version, e.seed, a.digest FROM evaluations e "
            "JOIN screen_answers a ON a.evaluation_id = e.id WHERE e.agent_id = ? AND e.stage = ?",
            (agent_id, SCREEN),
        )
        return {(row["benchmark"], row["version"], row["seed"]): row["digest"] for row in rows}

    def answering(self, digest: bytes, through: int) -> list[str]:
        """The agents, as decided through a proposal, that gave these answers on the screen of some
        benchmark: seeds with a score, members and rejected ones, by number."""
        rows = self._database.rows(ANSWERING, (digest, through))
        return [row["id"] for row in rows]

    def failures_of_seeds(self) -> list[Evaluation]:
        """Of each seed agent without a score that has failed on a benchmark of the current suite,
        its first failure, by number."""
        suite = set(self._database.tuples(OF_SUITE))
        rows = self._database.rows(
            "SELECT id, number FROM agents WHERE status = 'seed' AND score IS NULL ORDER BY number"
        )
        found = []
        for row in rows:
            found += [
                one
                for one in self.known(row["id"])
                if one.verdict == "failed" and (not suite or (one.benchmark, one.version) in suite)
            ][:1]
        return found

    def record_of(self, evaluation: Evaluation, *, sealed: bool = False) -> Measurement:
        """All that was recorded of an evaluation, series and answers included, to be recorded
        again: of an agent that learns in the same way, or in another archive.

        Raises:
            CambrianError: a blob is damaged.
        """
        arrays: dict[str, dict[str, Array]] = {"curve": {}, "matrix": {}}
        rows = self._database.rows(
            f"SELECT * FROM {_table('series', sealed)} WHERE evaluation_id = ? ORDER BY name",
            (evaluation.id,),
        )
        for row in rows:
            arrays[row["kind"]][row["name"]] = unpack(row)
        return Measurement(
            **{name: getattr(evaluation, name) for name in COLUMNS},
            metrics=evaluation.metrics,
            provenance=evaluation.provenance,
            curves=arrays["curve"],
            matrices=arrays["matrix"],
            predictions=self.predictions(evaluation.id, sealed=sealed),
        )

    def sealed_agents(self) -> list[str]:
        """Agents with at least one sealed result that counts, by number."""
        rows = self._database.rows(
            "SELECT id FROM agents WHERE id IN (SELECT agent_id FROM sealed_evaluations "
            "WHERE verdict <> 'broken') ORDER BY number"
        )
        return [row["id"] for row in rows]


def _key(record: Measurement) -> tuple[str, str, str, int]:
    """What is recorded once for an agent."""
    return record.benchmark, record.version, record.stage, record.seed


def _order(one: Evaluation) -> tuple[str, str, str, int, int]:
    return one.stage, one.benchmark, one.version, one.seed, one.id


def _table(name: str, sealed: bool) -> str:
    return f"sealed_{name}" if sealed else name


def _check(agent_id: str, record: Measurement) -> None:
    what = f"{record.benchmark} seed {record.seed} of {agent_id[:12]}"
    if (record.verdict == "scored") != (record.score is not None):
        raise UsageError(
            f"{what}: expected a score exactly with the verdict scored, got "
            f"{record.score!r} with {record.verdict}"
        )
    for name in ("score", "raw", "cpu_s", "wall_s"):
        value = getattr(record, name)
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{what}: expected a finite {name}, got {value!r}")
    if both := set(record.curves) & set(record.matrices):
        raise UsageError(f"{what}: expected a name once, got {sorted(both)} as curve and matrix")


def _series(record: Measurement) -> Iterator[Row]:
    kinds: dict[str, Mapping[str, Any]] = {"curve": record.curves, "matrix": record.matrices}
    for kind, arrays in kinds.items():
        for name, array in arrays.items():
            yield {"name": name, "kind": kind, **pack(name, array)}
