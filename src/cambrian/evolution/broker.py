"""The broker of model calls: holds the key, counts what is spent, records every answer.

An improver asks from inside its sandbox; the question reaches this code as checked text. Answers
are recorded under (proposal, position), so that a killed run replays them instead of paying again.
Talks to any OpenAI-compatible endpoint through the `openai` client, and in no other way.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import openai

from cambrian.archive import Archive
from cambrian.errors import UsageError
from cambrian.evolution.prices import Price
from cambrian.evolution.workers import AskRefused, BudgetSpent, EndpointDown
from cambrian.failpoints import reach

TIMEOUT_S = 120.0
RETRIES = 2
MAX_ANSWER_TOKENS = 8192
MAX_ANSWER_CHARACTERS = 256 << 10
MAX_TOKENS = 1 << 40
CALLS_PER_VARIANT = 4
LEAST_ANSWER_TOKENS = 256
"""Less than this is no answer: the budget then counts as spent."""
AROUND_MESSAGE, AROUND_QUESTION = 16, 32
"""Tokens that an endpoint's template may put around a message, and around a question."""
DOWN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Status codes that say "not now" rather than "no"."""


@dataclass(frozen=True)
class Answer:
    """An answer and what it used; None where the endpoint does not say."""

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None


class Model(Protocol):
    """Something that answers in at most `max_tokens` tokens.

    Raises `AskRefused` with a reason that a person can act on, or `EndpointDown` if it is worth
    asking again later.
    """

    name: str

    def answer(
        self, messages: Sequence[dict[str, str]], max_tokens: int = MAX_ANSWER_TOKENS
    ) -> Answer: ...


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint (`OPENAI_API_KEY`, `OPENAI_BASE_URL`)."""

    def __init__(self, name: str, *, retries: int = RETRIES, timeout_s: float = TIMEOUT_S) -> None:
        key = os.environ.get("OPENAI_API_KEY")
        if not key:
            raise UsageError(
                "OPENAI_API_KEY is not set: set it (any text will do for a local endpoint), and "
                "OPENAI_BASE_URL where the endpoint is not OpenAI's own"
            )
        self.name = name
        _check_address(os.environ.get("OPENAI_BASE_URL"))
        self._client = openai.OpenAI(api_key=key, max_retries=retries, timeout=timeout_s)

    @property
    def endpoint(self) -> str:
        return str(self._client.base_url)

    def answer(
        self, messages: Sequence[dict[str, str]], max_tokens: int = MAX_ANSWER_TOKENS
    ) -> Answer:
        try:
            reply = self._client.chat.completions.create(
                model=self.name,
                messages=list(messages),  # type: ignore[arg-type]
                max_tokens=max_tokens,
            )
        except openai.APIStatusError as error:
            said = f"the endpoint {self.endpoint} said {error.status_code}: {str(error)[:300]}"
            raise (EndpointDown if error.status_code in DOWN else AskRefused)(said) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise EndpointDown(f"the endpoint {self.endpoint} does not answer: {cause}") from None
        except (openai.OpenAIError, ValueError, TypeError) as error:
            raise AskRefused(f"the endpoint {self.endpoint} answered nonsense: {error}") from None
        return self._read(reply)

    def _read(self, reply: object) -> Answer:
        """The text of a reply that may be anything a server calls JSON."""
        try:
            text = reply.choices[0].message.content  # type: ignore[attr-defined]
        except (AttributeError, IndexError, TypeError):
            text = None
        if not isinstance(text, str):
            raise AskRefused(f"the endpoint {self.endpoint} sent an answer without text")
        if len(text) > MAX_ANSWER_CHARACTERS:
            raise AskRefused(f"the endpoint {self.endpoint} sent {len(text)} characters")
        usage = getattr(reply, "usage", None)
        return Answer(text, _tokens(usage, "prompt_tokens"), _tokens(usage, "completion_tokens"))


def _tokens(usage: object, name: str) -> int | None:
    """What an endpoint says it counted; None where it says nothing that could be true."""
    value = getattr(usage, name, None)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    return min(value, MAX_TOKENS)


def _check_address(url: str | None) -> None:
    """Refuse what is no address before the client's own library stumbles over it."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"OPENAI_BASE_URL is no address: expected http(s)://HOST/..., got {url!r}")


class Purse:
    """What a run may still spend on questions, shared by all its brokers.

    What a question may cost at most is put aside (durably) before it is asked: its prompt cannot
    have more tokens than bytes, and its answer is limited to what is put aside for it. So the
    limits are never gone over, as long as the endpoint keeps to `max_tokens`.
    """

    def __init__(
        self,
        archive: Archive,
        run_id: int,
        limits: Callable[[], Mapping[str, float | None]],
        prices: Callable[[], Mapping[str, Price]] = dict,
    ) -> None:
        self.archive = archive
        self.run_id = run_id
        self._limits = limits
        self._prices = prices
        self._changed = anyio.Event()

    def dollars(self, model: str, prompt_tokens: int, completion_tokens: int) -> float:
        """What that costs; 0 where no price is known (and then dollars are not limited)."""
        price = self._prices().get(model)
        return price.dollars(prompt_tokens, completion_tokens) if price else 0.0

    async def put_aside(self, proposal_id: int, position: int, model: str, prompt: int) -> int:
        """Reserve for a question; waits while others that are under way may leave room.

        Returns:
            The most tokens that its answer may have.

        Raises:
            BudgetSpent: what is left does not reach for an answer worth having.
        """
        while True:
            answer = min(self._room(model, prompt), MAX_ANSWER_TOKENS)
            if answer == MAX_ANSWER_TOKENS:
                break
            if not self.archive.ledger.reserved(self.run_id).tokens:
                if answer < LEAST_ANSWER_TOKENS:
                    raise BudgetSpent(self._spent_text())
                break
            changed = self._changed
            await changed.wait()
        self.archive.ledger.reserve(
            run_id=self.run_id,
            proposal_id=proposal_id,
            position=position,
            model=model,
            prompt_tokens=prompt,
            completion_tokens=answer,
            dollars=self.dollars(model, prompt, answer),
        )
        return answer

    def settled(self) -> None:
        """A question came to its end: others may have room now."""
        self._changed.set()
        self._changed = anyio.Event()

    def _room(self, model: str, prompt: int) -> int:
        """Tokens that an answer may have within every limit, before the usual maximum."""
        limits, room = self._limits(), MAX_TOKENS
        spent = self.archive.ledger.total(run_id=self.run_id)
        reserved = self.archive.ledger.reserved(self.run_id)
        tokens, dollars = limits.get("tokens"), limits.get("dollars")
        if tokens is not None:
            used = spent.prompt_tokens + spent.completion_tokens + reserved.tokens
            room = min(room, int(tokens) - used - prompt)
        if dollars is not None:
            price = self._prices().get(model)
            if price is None:
                raise AskRefused(f"the run is limited in dollars and {model} has no known price")
            left = dollars - spent.dollars - reserved.dollars - price.dollars(prompt, 0)
            if price.completion:
                room = min(room, int(left / price.dollars(0, 1)))
            elif left < 0:
                room = 0
        return room

    def _spent_text(self) -> str:
        limits = self._limits()
        said = [f"{limits[name]:g} {name}" for name in ("tokens", "dollars") if limits.get(name)]
        return f"the run's budget of {' and '.join(said) or 'nothing'} is spent"


class Broker:
    """Answers one variant's questions, within its allowance and the run's purse."""

    def __init__(self, archive: Archive, model: Model, *, purse: Purse, proposal_id: int) -> None:
        self.archive = archive
        self.model = model
        self.purse = purse
        self.proposal_id = proposal_id
        self._position = 0

    async def ask(self, messages: list[dict[str, str]]) -> str:
        """The model's answer: recorded before, or paid for now.

        Raises:
            AskRefused: the allowance or budget is spent, or the endpoint fails.
        """
        position, self._position = self._position, self._position + 1
        question = request_hash(self.model.name, messages)
        recorded = self.archive.ledger.recorded_answer(self.proposal_id, position)
        if recorded is not None and recorded.request_hash == question:
            return recorded.text
        if position >= CALLS_PER_VARIANT:
            raise AskRefused(f"a variant may ask {CALLS_PER_VARIANT} times")
        bound = prompt_bound(messages)
        most = await self.purse.put_aside(self.proposal_id, position, self.model.name, bound)
        reach("question.reserved")
        asked = threading.Event()

        def ask() -> Answer:
            asked.set()
            return self.model.answer(messages, most)

        try:
            # Once asked, its answer is waited for and booked whatever is cancelled meanwhile.
            answer = await anyio.to_thread.run_sync(ask)
            reach("answer.received")
            self._book(position, question, messages, answer)
            reach("answer.recorded")
        except AskRefused:
            self.archive.ledger.unreserve(self.proposal_id, position)
            raise
        except anyio.get_cancelled_exc_class():
            if not asked.is_set():
                self.archive.ledger.unreserve(self.proposal_id, position)
            raise
        finally:
            self.purse.settled()
        return answer.text

    def _book(
        self, position: int, question: str, messages: list[dict[str, str]], answer: Answer
    ) -> None:
        """Record the answer and what it cost; an answer to another question than the recorded
        one (an improver that is not deterministic) is still paid for."""
        ledger, name = self.archive.ledger, self.model.name
        estimated = answer.prompt_tokens is None or answer.completion_tokens is None
        prompt = _or_bound(answer.prompt_tokens, prompt_bound(messages))
        completion = _or_bound(answer.completion_tokens, len(answer.text.encode()))
        spent: dict[str, Any] = {
            "phase": "propose",
            "model": name,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "dollars": self.purse.dollars(name, prompt, completion),
            "run_id": self.purse.run_id,
            "proposal_id": self.proposal_id,
            "estimated": estimated,
        }
        recorded = ledger.record_answer(
            position=position, request_hash=question, text=answer.text, **spent
        )
        if not recorded:
            ledger.add_spend(**spent)


def _or_bound(counted: int | None, bound: int) -> int:
    return bound if counted is None else counted


def prompt_bound(messages: Sequence[dict[str, str]]) -> int:
    """More tokens than a question can have: a token is a byte at least."""
    text = sum(len(part.encode()) for message in messages for part in message.values())
    return text + AROUND_MESSAGE * len(messages) + AROUND_QUESTION


def request_hash(model: str, messages: Sequence[dict[str, str]]) -> str:
    """What names a question: the model and every message."""
    text = json.dumps([model, list(messages)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
