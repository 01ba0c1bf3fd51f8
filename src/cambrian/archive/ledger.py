"""What was spent, and the model answers that it bought: recorded once, replayed after a kill."""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from cambrian.archive.database import Database
from cambrian.archive.records import Answer, ImproverCheck, Spend


class Ledger:
    """Spend, recorded answers and the checks of improvers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_spend(
        self,
        *,
        phase: str,
        model: str,
        prompt_tokens: int,
        completion_tokens: int,
        dollars: float,
        run_id: int | None = None,
        proposal_id: int | None = None,
        agent_id: str | None = None,
    ) -> None:
        """Record one model call; tokens as the endpoint counted them, dollars as priced."""
        database = self._database
        with database.transaction():
            database.insert(
                "spend",
                {
                    "run_id": run_id,
                    "proposal_id": proposal_id,
                    "agent_id": agent_id,
                    "phase": phase,
                    "model": model,
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": completion_tokens,
                    "dollars": dollars,
                    "at": database.now(),
                },
            )
            database.event(
                "spend.added",
                run_id=run_id,
                agent_id=agent_id,
                proposal_id=proposal_id,
                model=model,
                tokens=prompt_tokens + completion_tokens,
                dollars=dollars,
            )

    def total(self, *, run_id: int | None = None, proposal_id: int | None = None) -> Spend:
        """What a proposal, a run, or (with neither) the whole archive has spent."""
        columns = "calls, prompt_tokens, completion_tokens, dollars"
        if proposal_id is not None:
            source = (
                "SELECT 1 AS calls, prompt_tokens, completion_tokens, dollars FROM spend "
                "WHERE proposal_id = :key"
            )
        elif run_id is not None:
            source = f"SELECT {columns} FROM spend_totals WHERE run_id = :key"
        else:
            source = f"SELECT {columns} FROM spend_totals"
        sums = ", ".join(f"ifnull(sum({name}), 0) AS {name}" for name in columns.split(", "))
        key = run_id if proposal_id is None else proposal_id
        row = self._database.row(f"SELECT {sums} FROM ({source})", {"key": key})
        return Spend(**(row or {}))

    def recorded_answer(self, proposal_id: int, position: int) -> Answer | None:
        """The answer to question number `position` (from 0) of a proposal, if it was recorded."""
        row = self._database.row(
            "SELECT request_hash, proposal_id, position, model, text, created_at FROM answers "
            "WHERE proposal_id = ? AND position = ?",
            (proposal_id, position),
        )
        return None if row is None else Answer(**row)

    def record_answer(
        self,
        *,
        proposal_id: int,
        position: int,
        request_hash: str,
        model: str,
        text: str,
        prompt_tokens: int,
        completion_tokens: int,
        dollars: float,
        phase: str = "propose",
        run_id: int | None = None,
        agent_id: str | None = None,
    ) -> bool:
        """Record an answer and what it cost in one transaction.

        Returns:
            False if that position was answered before: nothing is stored, nothing is charged.
        """
        with self._database.transaction():
            if self.recorded_answer(proposal_id, position) is not None:
                return False
            self._database.insert(
                "answers",
                {
                    "request_hash": request_hash,
                    "proposal_id": proposal_id,
                    "position": position,
                    "model": model,
                    "text": text,
                    "created_at": self._database.now(),
                },
            )
            self.add_spend(
                phase=phase,
                model=model,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                dollars=dollars,
                run_id=run_id,
                proposal_id=proposal_id,
                agent_id=agent_id,
            )
        return True

    def improver_check(self, improver_hash: str) -> ImproverCheck | None:
        """Whether this improver was checked, and how it came out."""
        row = self._database.row(
            "SELECT * FROM improver_checks WHERE improver_hash = ?", (improver_hash,)
        )
        return None if row is None else ImproverCheck(**{**row, "valid": bool(row["valid"])})

    def record_improver_check(self, improver_hash: str, valid: bool, detail: str) -> bool:
        """Record a check; False if this improver was checked before (the first verdict stays)."""
        with self._database.transaction():
            if self.improver_check(improver_hash) is not None:
                return False
            self._database.insert(
                "improver_checks",
                {
                    "improver_hash": improver_hash,
                    "valid": int(valid),
                    "detail": detail,
                    "created_at": self._database.now(),
                },
            )
            self._database.event("improver.checked", improver=improver_hash, valid=valid)
        return True
