"""What may be asked of a run, by name: checked, written down, carried out, answered.

Each is an intent: a row that is written before anything is done, so that what was asked for
survives a kill, and is carried out by the next process. All of them may be asked twice: the second
time says that it is so already. With `dry_run` nothing is written and the answer says what would
be done. Where no process runs, the same code works on the rows alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cambrian.archive import Archive, Proposal, Run
from cambrian.archive.tables.steering import Intent
from cambrian.errors import CambrianError, NotFound, Refused, UsageError
from cambrian.evolution.budget import Budget, check_limit
from cambrian.failpoints import reach
from cambrian.sandbox.backends.gpu import require_enough

if TYPE_CHECKING:
    from cambrian.evolution.loop import Loop

Arguments = Mapping[str, Any]
MOST_WORKERS = 1024
MOST_ROWS = 2**63
"""What SQLite can count."""


class Intents:
    """The verbs, over one run.

    Args:
        settings: the run's, as JSON.
        loop: that carries the run on in this process; None where no process does.
        stop: stops the process ("drain" or "now"); None where no process runs.
    """

    def __init__(
        self,
        archive: Archive,
        run: Run,
        settings: Mapping[str, Any],
        loop: Loop | None = None,
        stop: Callable[[str], bool] | None = None,
    ) -> None:
        self.archive = archive
        self.run = run
        self.loop = loop
        self._stop_process = stop
        self._budget = loop.budget if loop else Budget(archive, run, settings)
        self._workers = settings.get("workers")
        self._device = str(settings.get("device", "cpu"))

    def ask(self, verb: str, arguments: Arguments, by: str, *, dry_run: bool = False) -> str:
        """Write down what is asked and do it; what was done, in words.

        Raises:
            UsageError: no such verb, or arguments that it does not take.
            NotFound, Refused: what it is about is not there, or may not be done.
        """
        act = self._act(verb)
        act(self, arguments, by, True)  # what cannot be done is not written down
        if dry_run:
            return f"would be done: {act(self, arguments, by, True)}"
        intent = self.archive.steering.ask(verb, arguments, by)
        reach("intent.recorded")
        return self._carry_out(intent)

    def carry_out_pending(self) -> list[str]:
        """What was asked for and not done when the last process ended."""
        return [f"{intent.verb}: {self._try(intent)}" for intent in self.archive.steering.pending()]

    def _try(self, intent: Intent) -> str:
        try:
            return self._carry_out(intent)
        except (CambrianError, ArithmeticError, TypeError, ValueError) as error:
            # Of the last three none was foreseen, but each start would come to it again.
            self.archive.steering.answer(intent.id, "refused", str(error))
            return str(error)

    def _carry_out(self, intent: Intent) -> str:
        with self.archive.transaction():
            said = self._act(intent.verb)(self, intent.arguments, intent.asked_by, False)
            self.archive.steering.answer(intent.id, "done", said)
        reach("intent.carried_out")
        if self.loop is not None:
            self.loop.heard()
        return said

    def _act(self, verb: str) -> Callable[[Intents, Arguments, str, bool], str]:
        if verb not in VERBS:
            raise UsageError(f"expected one of {', '.join(VERBS)}, got {verb!r}")
        return VERBS[verb]

    # -- the verbs ---------------------------------------------------------------------

    def pause(self, arguments: Arguments, by: str, dry: bool) -> str:
        """Start nothing new (`now`: and drop what is being evaluated), until `resume`."""
        now = bool(_only(arguments, "now").get("now", False))
        paused = bool(self.archive.steering.orders(self.run.id).get("paused"))
        if not dry:
            if self.loop is not None:
                self.loop.pause(now=now)
            else:
                self.archive.steering.order(self.run.id, "paused", True)
        dropped = "; what was being evaluated is dropped" if now and self.loop else ""
        return f"run {self.run.id} is paused{' already' if paused else ''}{dropped}"

    def resume(self, arguments: Arguments, by: str, dry: bool) -> str:
        """End a pause that was asked for; one for an outage ends by itself."""
        _only(arguments)
        paused = bool(self.archive.steering.orders(self.run.id).get("paused"))
        if not dry:
            if self.loop is not None:
                self.loop.resume()
            else:
                self.archive.steering.order(self.run.id, "paused", False)
        return f"run {self.run.id} {'continues' if paused else 'was not paused'}"

    def stop(self, arguments: Arguments, by: str, dry: bool) -> str:
        """End the process: `how` "drain" (the default) finishes what is being evaluated, "now"
        drops it.

        Raises:
            UsageError: another `how`.
        """
        how = _only(arguments, "how").get("how", "drain")
        if how not in ("drain", "now"):
            raise UsageError(f"expected how to be drain or now, got {how!r}")
        if self._stop_process is None:
            return "no process is running on this archive"
        if not dry:
            self._stop_process(how)
        return (
            "stopping now; what is being evaluated is dropped"
            if how == "now"
            else "finishing what is being evaluated, then stopping"
        )

    def approve(self, arguments: Arguments, by: str, dry: bool) -> str:
        """Let a decision that waits for a person take effect, with a `note` if there is one."""
        return self._answer("approved", arguments, by, dry)

    def reject(self, arguments: Arguments, by: str, dry: bool) -> str:
        """Refuse a decision that waits for a person, with a `note` if there is one."""
        return self._answer("rejected", arguments, by, dry)

    def _answer(self, state: Any, arguments: Arguments, by: str, dry: bool) -> str:
        given = _only(arguments, "agent", "reason")
        proposal = self._proposal(given)
        known = self.archive.steering.approval(proposal.id)
        name = f"proposal {proposal.idx} ({(proposal.agent_id or '')[:10]})"
        if known is not None and known.state not in ("waiting", state):
            raise Refused(f"{name} was {known.state} before, by {known.answered_by}")
        if known is None:
            raise NotFound(f"no decision on {name} waits for a person: `cambrian approvals`")
        if not dry:
            reason = _text(given.get("reason", ""))[:2000]
            self.archive.steering.answer_approval(proposal.id, state, by, reason)
            reach("approval.answered")
        return f"{name} is {state}{' already' if known.state == state else ''}"

    def set_budget(self, arguments: Arguments, by: str, dry: bool) -> str:
        """Set a limit of the run (`name`), or lift it (`limit` null).

        Raises:
            UsageError: no such limit, no number, or the run would be left without any limit.
        """
        given = _only(arguments, "name", "limit")
        name, limit = str(given.get("name")), given.get("limit")
        if limit is not None and type(limit) not in (int, float):
            raise UsageError(f"expected a number as the limit, or null for none, got {limit!r}")
        if isinstance(limit, int) and abs(limit) > sys.float_info.max:
            raise UsageError("expected a number that is not beyond all bounds as the limit")
        check_limit(name, limit)
        before = self._budget.limits[name]
        others = [value for each, value in self._budget.limits.items() if each != name]
        if limit is None and not any(value is not None for value in others):
            raise UsageError(f"a run needs an end: {name} is the only limit there is")
        if not dry:
            self._budget.order(name, limit)
        return f"{name}: {_number(before)} before, {_number(limit)} now"

    def set_workers(self, arguments: Arguments, by: str, dry: bool) -> str:
        """Evaluate with so many processes from now on, and after a restart.

        Raises:
            UsageError: `count` is no whole number from 1 to `MOST_WORKERS`.
            Refused: fewer GPUs than that.
        """
        count = _only(arguments, "count").get("count")
        if type(count) is not int or not 1 <= count <= MOST_WORKERS:
            raise UsageError(f"expected 1 to {MOST_WORKERS} workers, got {count!r}")
        require_enough(self._device, count)
        orders = self.archive.steering.orders(self.run.id)
        before = self.loop.workers if self.loop else orders.get("workers", self._workers)
        if not dry:
            if self.loop is not None:
                self.loop.set_workers(count)
            else:
                self.archive.steering.order(self.run.id, "workers", count)
        return f"{before} workers before, {count} now"

    def retry(self, arguments: Arguments, by: str, dry: bool) -> str:
        """Give a parked proposal another chance; what is parked of seed agents, each start does."""
        proposal = self._proposal(_only(arguments, "agent"))
        name = f"proposal {proposal.idx}"
        if proposal.state in ("open", "proposed", "ready"):
            return f"{name} is under way already"
        if proposal.state != "parked" or proposal.agent_id is None:
            raise Refused(f"{name} is {proposal.state}: only a parked proposal can be retried")
        if not dry:
            self.archive.proposals.reopen(proposal.id)
        return f"{name} will be retried"

    def cancel(self, arguments: Arguments, by: str, dry: bool) -> str:
        """Give an undecided proposal up, made or not: nothing more is spent on it, and it is not
        judged. An answer that was asked for is waited for and counted."""
        proposal = self._proposal(_only(arguments, "agent"))
        name = f"proposal {proposal.idx}"
        if proposal.state == "invalid" and (proposal.reason or "").startswith(CANCELLED):
            return f"{name} is cancelled already"
        if proposal.terminal:
            raise Refused(f"{name} is {proposal.state}: that is not taken back")
        if not dry:
            approval = self.archive.steering.approval(proposal.id)
            if approval is not None and approval.state == "waiting":
                self.archive.steering.answer_approval(proposal.id, "rejected", by, CANCELLED)
            self.archive.proposals.close(proposal.id, "invalid", f"{CANCELLED} by {by}")
            if self.loop is not None:
                self.loop.drop(proposal.id)
        return f"{name} is cancelled"

    def _proposal(self, arguments: Arguments) -> Proposal:
        """By `agent`: an agent's id or a prefix of it, or a proposal's number (an integer)."""
        given = arguments.get("agent")
        if isinstance(given, int) and not isinstance(given, bool):
            found = self.archive.proposals.at(given) if 0 <= given < MOST_ROWS else None
            if found is None:
                raise NotFound(f"there is no proposal {given}")
            return found
        if not isinstance(given, str):
            raise UsageError(f"expected an agent's id or a proposal's number, got {given!r}")
        agent = self.archive.agents.get(self.archive.resolve(_text(given)))
        if agent.proposal_id is None:
            raise Refused("a seed agent has no proposal")
        return self.archive.proposals.get(agent.proposal_id)


CANCELLED = "cancelled by request"

VERBS: dict[str, Callable[[Intents, Arguments, str, bool], str]] = {
    "pause": Intents.pause,
    "resume": Intents.resume,
    "stop": Intents.stop,
    "approve": Intents.approve,
    "reject": Intents.reject,
    "set-budget": Intents.set_budget,
    "set-workers": Intents.set_workers,
    "retry": Intents.retry,
    "cancel": Intents.cancel,
}


def _only(arguments: Arguments, *names: str) -> Arguments:
    """The arguments, if the verb takes them."""
    unknown = sorted(set(arguments) - set(names))
    if unknown:
        raise UsageError(f"expected only {', '.join(names) or 'no arguments'}, got {unknown}")
    return arguments


def _text(given: object) -> str:
    """As a database can hold it: JSON may carry half a character."""
    return str(given).encode("utf-8", "replace").decode()


def _number(limit: float | None) -> str:
    return "no limit" if limit is None else f"{limit:g}"
