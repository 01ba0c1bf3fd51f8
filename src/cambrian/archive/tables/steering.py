"""How a run is steered: standing orders, what people asked for, what waits for their word, meters.

Everything here is a row, so that it survives a restart: a pause stays a pause, a raised budget
stays raised, and a request made while no process ran is carried out by the next one.

- *standing orders* hold until they are changed (`paused`, `workers`, `budget.tokens`, ...);
- an *intent* is one request by one person, carried out once and answered;
- an *approval* is a decision that waits for a person;
- a *meter* counts what a run has used, in the same transaction as what it was used for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, Row, decode, encode
from cambrian.errors import NotFound, Refused, UsageError

IntentState = Literal["pending", "done", "refused"]
ApprovalState = Literal["waiting", "approved", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A request to a run, and its result."""

    id: int
    verb: str
    arguments: Mapping[str, Any]
    asked_by: str
    asked_at: float
    state: IntentState
    answer: str
    answered_at: float | None

    @classmethod
    def of(cls, row: Row) -> Intent:
        """From a row of `intents`; the arguments are decoded JSON."""
        return cls(**{**row, "arguments": decode(row["arguments"])})


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A decision that waits, or waited, for a person.

    Attributes:
        why: the policy that asks. kind: what it would be admitted as.
        gates: of one that an older Cambrian asked for; since then they are the proposal's.
    """

    proposal_id: int
    why: str
    kind: Literal["improvement", "stepping_stone"]
    gates: tuple[Mapping[str, Any], ...]
    state: ApprovalState
    asked_at: float
    answered_at: float | None
    answered_by: str
    reason: str

    @classmethod
    def of(cls, row: Row) -> Approval:
        """From a row of `approvals`; the gates are decoded JSON."""
        return cls(**{**row, "gates": tuple(decode(row["gates"]))})


class Steering:
    """The verbs on standing orders, intents, approvals and meters."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._orders: RowCache[int, dict[str, Any]] = RowCache(database, 1)
        self._meters: RowCache[int, dict[str, float]] = RowCache(database, 1)

    # -- standing orders ---------------------------------------------------------------

    def order(self, run_id: int, name: str, value: Any) -> bool:
        """Give a standing order; False if it stood already."""
        with self._database.transaction():
            if self.orders(run_id).get(name, _NOTHING) == value:
                return False
            self._database.execute(
                "INSERT INTO standing_orders (run_id, name, value, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (run_id, name) DO UPDATE SET value = excluded.value, at = excluded.at",
                (run_id, name, encode(value), self._database.now()),
            )
            self._orders.drop(run_id)
            self._database.event("order.given", run_id=run_id, name=name, value=value)
        return True

    def orders(self, run_id: int) -> dict[str, Any]:
        """Every standing order of a run, by name."""
        return dict(self._orders.get(run_id, lambda: self._read_orders(run_id)))

    def _read_orders(self, run_id: int) -> dict[str, Any]:
        rows = self._database.rows(
            "SELECT name, value FROM standing_orders WHERE run_id = ?", (run_id,)
        )
        return {row["name"]: decode(row["value"]) for row in rows}

    # -- intents -----------------------------------------------------------------------

    def ask(self, verb: str, arguments: Mapping[str, Any], by: str) -> Intent:
        """Record a request; the same one that is still pending is returned."""
        given = encode(dict(arguments))
        with self._database.transaction():
            known = self._database.row(
                "SELECT * FROM intents WHERE state = 'pending' AND verb = ? AND arguments = ?",
                (verb, given),
            )
            if known is not None:
                return Intent.of(known)
            intent_id = self._database.insert(
                "intents",
                {
                    "verb": verb,
                    "arguments": given,
                    "asked_by": by,
                    "asked_at": self._database.now(),
                    "state": "pending",
                    "answer": "",
                },
            )
            self._database.event("intent.asked", intent=intent_id, verb=verb, by=by)
        return self.intent(intent_id)

    def answer(self, intent_id: int, state: Literal["done", "refused"], answer: str) -> Intent:
        """Record the result of an intent; the first one stays."""
        with self._database.transaction():
            changed = self._database.execute(
                "UPDATE intents SET state = ?, answer = ?, answered_at = ? "
                "WHERE id = ? AND state = 'pending'",
                (state, answer, self._database.now(), intent_id),
            )
            if changed:
                self._database.event(f"intent.{state}", intent=intent_id, answer=answer)
        return self.intent(intent_id)

    def intent(self, intent_id: int) -> Intent:
        """An intent by its id.

        Raises:
            NotFound: no such intent.
        """
        row = self._database.row("SELECT * FROM intents WHERE id = ?", (intent_id,))
        if row is None:
            raise NotFound(f"expected the id of an intent in this archive, got {intent_id}")
        return Intent.of(row)

    def pending(self) -> list[Intent]:
        """Intents without an answer, oldest first."""
        rows = self._database.rows("SELECT * FROM intents WHERE state = 'pending' ORDER BY id")
        return [Intent.of(row) for row in rows]

    # -- approvals ---------------------------------------------------------------------

    def ask_approval(self, proposal_id: int, why: str, kind: str) -> Approval:
        """Ask a person about a decision, whose gates are kept with the proposal; asking again
        returns what was asked before."""
        with self._database.transaction():
            if (known := self.approval(proposal_id)) is not None:
                return known
            self._database.insert(
                "approvals",
                {
                    "proposal_id": proposal_id,
                    "why": why,
                    "kind": kind,
                    "gates": "[]",  # they are the proposal's
                    "state": "waiting",
                    "asked_at": self._database.now(),
                    "answered_by": "",
                    "reason": "",
                },
            )
            self._database.event("approval.asked", proposal_id=proposal_id, why=why)
        found = self.approval(proposal_id)
        assert found is not None
        return found

    def answer_approval(
        self, proposal_id: int, state: Literal["approved", "rejected"], by: str, reason: str = ""
    ) -> bool:
        """A person's word on a decision that waits; False if the same was said before.

        Raises:
            NotFound: no approval was asked for, or it has ended by itself.
            Refused: the opposite was said before, and the decision may have been made on it.
            UsageError: `state` is neither approved nor rejected.
        """
        if state not in ("approved", "rejected"):
            raise UsageError(f"expected approved or rejected, got {state!r}")
        with self._database.transaction():
            known = self.approval(proposal_id)
            if known is None or (known.state == "waiting" and self._ended(proposal_id)):
                raise NotFound("no decision on that agent waits for approval: `cambrian approvals`")
            if known.state == state:
                return False
            if known.state != "waiting":
                raise Refused(
                    f"it was {known.state} before, by {known.answered_by}; that is not taken back"
                )
            self._database.execute(
                "UPDATE approvals SET state = ?, answered_at = ?, answered_by = ?, reason = ? "
                "WHERE proposal_id = ?",
                (state, self._database.now(), by, reason, proposal_id),
            )
            self._database.event(f"approval.{state}", proposal_id=proposal_id, by=by, reason=reason)
        return True

    def withdraw(self, proposal_id: int) -> bool:
        """Its proposal ended without a person's word: nothing waits for it; False if nothing did.
        Called by the verb that ends one, inside its transaction."""
        withdrawn = self._database.execute(
            "DELETE FROM approvals WHERE proposal_id = ? AND state = 'waiting'", (proposal_id,)
        )
        if withdrawn:
            self._database.event("approval.withdrawn", proposal_id=proposal_id)
        return bool(withdrawn)

    def _ended(self, proposal_id: int) -> bool:
        """Whether a proposal is terminal: an archive of old may hold such an approval."""
        found = self._database.value(
            "SELECT 1 FROM proposals WHERE id = ? AND state IN ('open', 'proposed', 'ready')",
            (proposal_id,),
        )
        return found is None

    def approval(self, proposal_id: int) -> Approval | None:
        """What was asked about a proposal's decision; None where no approval was asked for."""
        row = self._database.row("SELECT * FROM approvals WHERE proposal_id = ?", (proposal_id,))
        return None if row is None else Approval.of(row)

    def waiting(self) -> list[Approval]:
        """Approvals without an answer, oldest first."""
        rows = self._database.rows(
            "SELECT a.* FROM approvals a JOIN proposals p ON p.id = a.proposal_id "
            "WHERE a.state = 'waiting' AND p.state IN ('open', 'proposed', 'ready') "
            "ORDER BY a.proposal_id"
        )
        return [Approval.of(row) for row in rows]

    # -- meters ------------------------------------------------------------------------

    def count(self, run_id: int, **amounts: float) -> None:
        """Add to a run's meters; no event, what was used has one."""
        with self._database.step():
            for name, amount in amounts.items():
                if amount:
                    self._database.execute(
                        "INSERT INTO meters (run_id, name, amount) VALUES (?, ?, ?) "
                        "ON CONFLICT (run_id, name) DO UPDATE "
                        "SET amount = amount + excluded.amount",
                        (run_id, name, amount),
                    )
            self._meters.drop(run_id)

    def meters(self, run_id: int) -> dict[str, float]:
        """A run's meters by name."""
        return dict(self._meters.get(run_id, lambda: self._read_meters(run_id)))

    def _read_meters(self, run_id: int) -> dict[str, float]:
        rows = self._database.rows("SELECT name, amount FROM meters WHERE run_id = ?", (run_id,))
        return {row["name"]: row["amount"] for row in rows}


_NOTHING = object()
