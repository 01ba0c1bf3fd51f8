"""What was spent, and the model answers that it bought: recorded once, replayed after a kill."""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from dataclasses import dataclass

from cambrian.archive.records import Answer, ImproverCheck, Spend
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database

CUT_OFF = "cut off by a kill"
"""Why a question was not answered that was under way when the process was killed."""
MAX_REASON = 500


@dataclass(frozen=True)
class Reserved:
    """What questions that are under way may cost at most."""

    tokens: int = 0
    dollars: float = 0.0


class Ledger:
    """Spend, reservations, recorded answers and the checks of improvers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._totals: RowCache[int, Spend] = RowCache(database, 1)
        self._checks: RowCache[str, ImproverCheck] = RowCache(database, 256)

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
        estimated: bool = False,
        position: int | None = None,
        refused: str | None = None,
    ) -> None:
        """Record one model call; tokens as the endpoint counted them (unless `estimated`), dollars
        as priced; which question of its proposal it was, and why it was not answered."""
        database = self._database
        with database.step():
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
                    "estimated": int(estimated),
                    "position": position,
                    "refused": None if refused is None else refused[:MAX_REASON],
                },
            )
            self._totals.clear()
            known = proposal_id is not None  # whose run and agent they then are
            database.event(
                "spend.added",
                run_id=None if known else run_id,
                agent_id=None if known else agent_id,
                proposal_id=proposal_id,
                model=model,
                tokens=prompt_tokens + completion_tokens,
                dollars=dollars,
                **({"estimated": True} if estimated else {}),
            )

    def reserve(
        self,
        *,
        run_id: int,
        proposal_id: int,
        position: int,
        model: str,
        prompt_tokens: int,
        completion_tokens: int,
        dollars: float,
    ) -> None:
        """Put aside what a question may cost at most, before it is asked."""
        with self._database.transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO reservations (proposal_id, position, run_id, model, "
                "prompt_tokens, completion_tokens, dollars, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(proposal_id, position, run_id, model),
                    *(prompt_tokens, completion_tokens, dollars, self._database.now()),
                ),
            )

    def unreserve(self, proposal_id: int, position: int) -> None:
        """The question was answered, or nothing was spent on it."""
        with self._database.step():
            self._database.execute(
                "DELETE FROM reservations WHERE proposal_id = ? AND position = ?",
                (proposal_id, position),
            )

    def reserved(self, run_id: int) -> Reserved:
        """What is put aside for questions of this run that are under way."""
        row = self._database.row(
            "SELECT ifnull(sum(prompt_tokens + completion_tokens), 0) AS tokens, "
            "ifnull(sum(dollars), 0.0) AS dollars FROM reservations WHERE run_id = ?",
            (run_id,),
        )
        return Reserved(**(row or {}))

    def settle_reservations(self) -> int:
        """Count questions that a kill cut off as having cost what was put aside for them, marked
        as estimated. To be called at start, under the archive's lock. Returns how many."""
        with self._database.transaction():
            rows = self._database.rows("SELECT * FROM reservations ORDER BY proposal_id, position")
            for row in rows:
                self.add_spend(
                    phase="propose",
                    model=row["model"],
                    prompt_tokens=row["prompt_tokens"],
                    completion_tokens=row["completion_tokens"],
                    dollars=row["dollars"],
                    run_id=row["run_id"],
                    proposal_id=row["proposal_id"],
                    estimated=True,
                    position=row["position"],
                    refused=CUT_OFF,
                )
            self._database.execute("DELETE FROM reservations")
        return len(rows)

    def total(self, *, run_id: int | None = None, proposal_id: int | None = None) -> Spend:
        """What a proposal, a run, or (with neither) the whole archive has spent."""
        if run_id is not None and proposal_id is None:
            return self._totals.get(run_id, lambda: self._total(run_id, None))
        return self._total(run_id, proposal_id)

    def _total(self, run_id: int | None, proposal_id: int | None) -> Spend:
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

    def asked(self, proposal_id: int) -> str:
        """The model that a proposal has asked first; "" while it has asked none."""
        known = self._database.value(
            "SELECT model FROM (SELECT model, 0 AS rank, position FROM answers "
            "WHERE proposal_id = :id UNION ALL SELECT model, 1, id FROM spend "
            "WHERE proposal_id = :id) ORDER BY rank, position LIMIT 1",
            {"id": proposal_id},
        )
        return str(known or "")

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
        estimated: bool = False,
    ) -> bool:
        """Record an answer and what it cost, and end its reservation, in one transaction.

        Returns:
            False if that position was answered before: nothing is stored, nothing is charged.
        """
        with self._database.transaction():
            self.unreserve(proposal_id, position)
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
                estimated=estimated,
                position=position,
            )
        return True

    def improver_check(self, improver_hash: str) -> ImproverCheck | None:
        """Whether this improver was checked, and how it came out."""
        if (known := self._checks.known(improver_hash)) is not None:
            return known
        row = self._database.row(
            "SELECT * FROM improver_checks WHERE improver_hash = ?", (improver_hash,)
        )
        if row is None:
            return None
        check = ImproverCheck(**{**row, "valid": bool(row["valid"])})
        self._checks.keep(improver_hash, check)
        return check

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
