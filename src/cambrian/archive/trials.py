"""What came of trying a model's variants before they were recorded."""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.archive.sqlite.database import Database


@dataclass(frozen=True)
class Trial:
    """One trial of a proposal.

    Attributes:
        attempt: which one, from 0.
        identity: of the code that was tried.
        problem: what the model was told of its failure; "" where it ran.
    """

    attempt: int
    identity: str
    problem: str


class Trials:
    """The verbs on trials."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, proposal_id: int) -> list[Trial]:
        """The trials of a proposal, in order."""
        rows = self._database.rows(
            "SELECT attempt, identity, problem FROM trials WHERE proposal_id = ? ORDER BY attempt",
            (proposal_id,),
        )
        return [Trial(**row) for row in rows]

    def record(self, proposal_id: int, trial: Trial) -> None:
        """Keep a trial; the same attempt at other code takes the place of the earlier one."""
        with self._database.step():
            self._database.execute(
                "INSERT OR REPLACE INTO trials (proposal_id, attempt, identity, problem) "
                "VALUES (?, ?, ?, ?)",
                (proposal_id, trial.attempt, trial.identity, trial.problem),
            )
