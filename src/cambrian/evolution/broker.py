"""The broker of model calls: holds the key, counts what is spent, records every answer.

An improver asks from inside its sandbox; the question reaches this code as checked text. Answers
are recorded under (proposal, position), so that a killed run replays them instead of paying again.
Talks to any OpenAI-compatible endpoint through the `openai` client, and in no other way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import anyio.to_thread
import openai

from cambrian.archive import Archive
from cambrian.errors import UsageError
from cambrian.evolution.workers import AskRefused

TIMEOUT_S = 120.0
RETRIES = 2
MAX_ANSWER_TOKENS = 8192
MAX_ANSWER_CHARACTERS = 256 << 10
MAX_TOKENS = 1 << 40
CALLS_PER_VARIANT = 4


@dataclass(frozen=True)
class Answer:
    text: str
    prompt_tokens: int
    completion_tokens: int


class Model(Protocol):
    """Something that answers. Raises `AskRefused` with a reason that a person can act on."""

    name: str

    def answer(self, messages: Sequence[dict[str, str]]) -> Answer: ...


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

    def answer(self, messages: Sequence[dict[str, str]]) -> Answer:
        try:
            reply = self._client.chat.completions.create(
                model=self.name,
                messages=list(messages),  # type: ignore[arg-type]
                max_tokens=MAX_ANSWER_TOKENS,
            )
        except openai.APIStatusError as error:
            said = str(error)[:300]
            raise AskRefused(
                f"the endpoint {self.endpoint} said {error.status_code}: {said}"
            ) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise AskRefused(f"the endpoint {self.endpoint} does not answer: {cause}") from None
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


def _tokens(usage: object, name: str) -> int:
    value = getattr(usage, name, 0)
    return min(value, MAX_TOKENS) if isinstance(value, int) and value >= 0 else 0


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


class Broker:
    """Answers one variant's questions, within its allowance and the run's budget."""

    def __init__(
        self,
        archive: Archive,
        model: Model,
        *,
        run_id: int,
        proposal_id: int,
        tokens: int | None = None,
    ) -> None:
        self.archive = archive
        self.model = model
        self.run_id = run_id
        self.proposal_id = proposal_id
        self.tokens = tokens
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
        self._check_budget(position)
        answer = await anyio.to_thread.run_sync(self.model.answer, messages)
        self._book(position, question, answer)
        return answer.text

    def _book(self, position: int, question: str, answer: Answer) -> None:
        """Record the answer and what it cost; an answer to another question than the recorded
        one (an improver that is not deterministic) is still paid for."""
        ledger, name = self.archive.ledger, self.model.name
        recorded = ledger.record_answer(
            proposal_id=self.proposal_id,
            position=position,
            request_hash=question,
            model=name,
            text=answer.text,
            run_id=self.run_id,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            dollars=0.0,  # prices are not known yet: tokens are what the budget is in
        )
        if not recorded:
            ledger.add_spend(
                phase="propose",
                model=name,
                prompt_tokens=answer.prompt_tokens,
                completion_tokens=answer.completion_tokens,
                dollars=0.0,
                run_id=self.run_id,
                proposal_id=self.proposal_id,
            )

    def _check_budget(self, position: int) -> None:
        if position >= CALLS_PER_VARIANT:
            raise AskRefused(f"a variant may ask {CALLS_PER_VARIANT} times")
        if self.tokens is not None:
            spent = self.archive.ledger.total(run_id=self.run_id)
            if spent.prompt_tokens + spent.completion_tokens >= self.tokens:
                raise AskRefused(f"the run's budget of {self.tokens} tokens is spent")


def request_hash(model: str, messages: Sequence[dict[str, str]]) -> str:
    """What names a question: the model and every message."""
    text = json.dumps([model, list(messages)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
