"""Each use of sealed data: when, for whom, how much.

Every look at it makes it a little less sealed, so looks are counted, and the count is shown beside
the scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.archive.sqlite.database import Database, Row
from cambrian.errors import NotFound, UsageError


@dataclass(frozen=True, kw_only=True)
class Sealing:
    """One use of sealed data for one agent.

    Attributes:
        run_id: the last run of the archive then; None in one without a run.
        evaluations: how many (stream, seed) were opened for it.
    """

    id: int
    agent_id: str
    run_id: int | None
    evaluations: int
    at: float

    @classmethod
    def of(cls, row: Row) -> Sealing:
        """From a row of `sealings`."""
        return cls(**row)


@dataclass(frozen=True)
class SealedUse:
    """How often sealed data has been used: times, by how many agents, for how many evaluations."""

    times: int
    agents: int
    evaluations: int

    def __str__(self) -> str:
        times = "once" if self.times == 1 else f"{self.times} times"
        agents = "agent" if self.agents == 1 else "agents"
        return f"{times}, for {self.agents} {agents} ({self.evaluations} evaluations)"


class Sealings:
    """The verbs on uses of sealed data."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, agent_id: str, *, run_id: int | None, evaluations: int) -> Sealing:
        """Count one use, before it takes place, with its event; not even a power cut takes it back.

        Raises:
            NotFound: no such agent. UsageError: nothing would be evaluated.
        """
        if evaluations < 1:
            raise UsageError(f"expected at least one evaluation, got {evaluations}")
        database = self._database
        if database.value("SELECT 1 FROM agents WHERE id = ?", (agent_id,)) is None:
            raise NotFound(f"expected an agent of this archive, got {agent_id!r}")
        with database.durable():
            row: Row = {
                "agent_id": agent_id,
                "run_id": run_id,
                "evaluations": evaluations,
                "at": database.now(),
            }
            number = database.insert("sealings", row)
            database.event(
                "sealed.opened",
                run_id=run_id,
                agent_id=agent_id,
                sealing=number,
                evaluations=evaluations,
            )
        return Sealing(id=number, **row)

    def all(self) -> list[Sealing]:
        """Every use, in order of time."""
        return [Sealing.of(row) for row in self._database.rows("SELECT * FROM sealings")]

    def looks(self) -> SealedUse:
        """How often it has been used."""
        row = self._database.row(
            "SELECT count(*) AS times, count(DISTINCT agent_id) AS agents, "
            "ifnull(sum(evaluations), 0) AS evaluations FROM sealings"
        )
        return SealedUse(**row) if row else SealedUse(0, 0, 0)
