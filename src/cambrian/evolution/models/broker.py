"""The broker of model calls: counts what is spent, records every answer.

An improver asks from inside its sandbox; the question reaches this code as checked text. Answers
are recorded under (proposal, position), so that a killed run replays them instead of paying again.
Whatever comes of a question, what it used is booked: as the endpoint states it, or, where it states
nothing that could be true, as it was put aside.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import anyio
import anyio.to_thread

from cambrian.archive import Archive
from cambrian.evolution.models.endpoint import MAX_ANSWER_TOKENS, OpenAIModel
from cambrian.evolution.models.refusals import AskRefused, EndpointDown, TooLong, Used
from cambrian.evolution.models.replies import Answer, whole
from cambrian.evolution.models.roster.gates import Gate
from cambrian.evolution.models.token_budget import TokenBudget
from cambrian.evolution.timing import USUAL, Timing
from cambrian.failpoints import reach

CALLS_PER_VARIANT = 6
"""How many questions one variant may ask: three of its improver, and those that mend."""
AROUND_MESSAGE, AROUND_QUESTION = 16, 32
"""Tokens that an endpoint's template may put around a message, and around a question."""


class Model(Protocol):
    """Something that answers in at most `max_tokens` tokens.

    Raises `AskRefused` with a reason that a person can act on and with what was used all the same,
    or `EndpointDown` if it is worth asking again later.
    """

    @property
    def name(self) -> str:
        """What it is called in the ledger."""

    def answer(
        self,
        messages: Sequence[dict[str, str]],
        max_tokens: int = MAX_ANSWER_TOKENS,
    ) -> Answer:
        """The model's answer to a conversation (role and content each), in at most `max_tokens`
        tokens. A model that can be held to choices takes `choices` too.

        Raises:
            AskRefused: with a reason that a person can act on, and what was used all the same.
            EndpointDown: it is worth asking again later.
        """


class Broker:
    """Answers one variant's questions, within its allowance and the run's budget."""

    def __init__(
        self,
        archive: Archive,
        model: Model,
        *,
        budget: TokenBudget,
        proposal_id: int,
        timing: Timing = USUAL,
        gate: Gate | None = None,
    ) -> None:
        self.archive = archive
        self.model = model
        self.budget = budget
        self.proposal_id = proposal_id
        self.timing = timing
        self._gate = gate or Gate(1 << 20)
        self.cut: Sequence[Mapping[str, Any]] = ()  # what was left out of the present evidence
        self._position = 0
        resume = getattr(model, "resume", None)
        if resume is not None:
            resume(archive, proposal_id)

    async def ask(
        self,
        messages: list[dict[str, str]],
        choices: Sequence[str] = (),
        cap: int | None = None,
    ) -> str:
        """The model's answer: recorded before, or paid for now.

        Args:
            choices: it is to be one of these. cap: tokens that it may have at most.

        Raises:
            AskRefused: the allowance or budget is spent, or the endpoint fails.
        """
        position, self._position = self._position, self._position + 1
        messages = [{name: whole(text) for name, text in one.items()} for one in messages]
        question = request_hash(self.model.name, messages)
        recorded = self.archive.ledger.recorded_answer(self.proposal_id, position)
        if recorded is not None and recorded.request_hash == question:
            return recorded.text
        if position >= CALLS_PER_VARIANT:
            raise AskRefused(f"a variant may ask {CALLS_PER_VARIANT} times")
        allowed: int | None = getattr(self.model, "retries", None)
        wait_s = self.timing.questions.first_s
        for left in range(self.timing.retries if allowed is None else allowed, -1, -1):
            try:
                async with self._gate.turn():
                    return await self._asked(position, question, messages, choices, cap)
            except TooLong:
                self._position = position  # a shorter question takes its place
                raise
            except EndpointDown as down:
                wait_s = max(wait_s, down.wait_s)
                if not left or down.used is not None or wait_s > self.timing.questions.longest_s:
                    raise
                self._gate.hold(down.wait_s)
            await anyio.sleep(wait_s)
            wait_s *= 2
        raise AssertionError("the last try returns or raises")

    async def _asked(
        self,
        position: int,
        question: str,
        messages: list[dict[str, str]],
        choices: Sequence[str],
        cap: int | None,
    ) -> str:
        """Ask once, and book whatever comes of it."""
        bound = prompt_bound(messages)
        caps = [one for one in (cap, getattr(self.model, "most", None)) if one is not None]
        most = await self.budget.reserve(
            self.proposal_id, position, self.model.name, bound, min(caps, default=None)
        )
        told: dict[str, Any] = {"choices": choices} if choices else {}
        reach("question.reserved")
        asked = threading.Event()

        def ask() -> Answer:
            asked.set()
            return self.model.answer(messages, most, **told)

        try:
            # Once asked, its answer is waited for and booked whatever is cancelled meanwhile.
            answer = await anyio.to_thread.run_sync(ask)
            reach("answer.received")
            self._book(position, question, bound, answer, messages)
            reach("answer.recorded")
        except AskRefused as refusal:
            self._book_refusal(position, bound, most, refusal)
            raise
        except anyio.get_cancelled_exc_class():
            if not asked.is_set():
                self.archive.ledger.unreserve(self.proposal_id, position)
            raise
        finally:
            self.budget.released()
        return answer.text

    def _book(
        self,
        position: int,
        question: str,
        bound: int,
        answer: Answer,
        messages: Sequence[Mapping[str, str]],
    ) -> None:
        """Record the question, the answer and what it cost; an answer to another question than the
        recorded one (an improver that is not deterministic) is still paid for."""
        said = max(answer.said, len(answer.text.encode()))
        spent = self._spent(Used(answer.prompt_tokens, answer.completion_tokens), bound, said)
        ledger = self.archive.ledger
        with self.archive.transaction():
            recorded = ledger.record_answer(
                position=position, request_hash=question, text=answer.text, **spent
            )
            self.archive.questions.record(self.proposal_id, position, messages, self.cut)
            if not recorded:
                ledger.add_spend(**spent, position=position)

    def _book_refusal(self, position: int, bound: int, most: int, refusal: AskRefused) -> None:
        """Record what a question used that was not answered, and why; end its reservation."""
        with self.archive.transaction():
            self.archive.ledger.unreserve(self.proposal_id, position)
            if refusal.used is not None:
                self.archive.ledger.add_spend(
                    **self._spent(refusal.used, bound, most),
                    position=position,
                    refused=whole(str(refusal)),
                )

    def _spent(self, used: Used, prompt: int, completion: int) -> dict[str, Any]:
        """A row of the ledger; `prompt` and `completion` where the endpoint states nothing."""
        name = self.model.name
        self.budget.used(name, prompt, used.prompt_tokens or 0)
        counts = (
            prompt if used.prompt_tokens is None else used.prompt_tokens,
            completion if used.completion_tokens is None else used.completion_tokens,
        )
        return {
            "phase": getattr(self.model, "phase", "propose"),
            "model": name,
            "prompt_tokens": counts[0],
            "completion_tokens": counts[1],
            "dollars": self.budget.dollars(name, *counts),
            "run_id": self.budget.run_id,
            "proposal_id": self.proposal_id,
            "estimated": counts != (used.prompt_tokens, used.completion_tokens),
        }


def prompt_bound(messages: Sequence[dict[str, str]]) -> int:
    """More tokens than a question can have: a token is a byte at least."""
    text = sum(len(part.encode()) for message in messages for part in message.values())
    return text + AROUND_MESSAGE * len(messages) + AROUND_QUESTION


def request_hash(model: str, messages: Sequence[dict[str, str]]) -> str:
    """What names a question: the model and every message."""
    text = json.dumps([model, list(messages)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


__all__ = [
    "MAX_ANSWER_TOKENS",
    "Answer",
    "Broker",
    "Model",
    "OpenAIModel",
    "TokenBudget",
    "prompt_bound",
    "request_hash",
]
