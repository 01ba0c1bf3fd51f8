"""What an endpoint supports, found out by one tiny question.

It is asked at temperature 0, held to two words by a grammar, with both parameters that bound an
answer; what it turns down is asked again without, which costs nothing. A question that it answers
in its own words shows that it does not mind the grammar.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cambrian.evolution.models.choices import chosen
from cambrian.evolution.models.endpoint import OpenAIModel
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.roster.specs import ModelSpec

WORDS = ("pelican", "ostrich")
QUESTION = [
    {"role": "system", "content": "You answer in one short line."},
    {"role": "user", "content": "Say hello."},
]
MOST = 1024
"""Tokens of the answer at most: a model that reasons needs more than a word."""


@dataclass(frozen=True)
class Checked:
    """What one endpoint supports.

    Attributes:
        limits: the parameters that it takes for the length of an answer.
        temperature: whether it takes one. system: whether it knows that role.
        stream: whether it answers in a stream only.
        grammar: the form of grammar that it minds: gbnf, schema or none.
        usage: whether it says how many tokens a question used.
        reasoning: whether it was seen to reason before it answers.
        prompt_tokens, completion_tokens: of the question; None where it does not say.
        dollars: what that cost; None without a price.
        proposal_dollars: what a proposal of `per_proposal` tokens costs; None without a price.
    """

    name: str
    endpoint: str
    limits: tuple[str, ...]
    temperature: bool
    system: bool
    stream: bool
    grammar: str
    usage: bool
    reasoning: bool
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    dollars: float | None
    per_proposal: tuple[int, int]
    proposal_dollars: float | None

    def to_json(self) -> dict[str, Any]:
        """As `cambrian model check --json` shows it."""
        return vars(self)


def check(
    name: str,
    spec: ModelSpec,
    price: Price | None,
    per_proposal: tuple[int, int],
    *,
    timeout_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> Checked:
    """Ask a model one question.

    Args:
        per_proposal: prompt and completion tokens that a proposal takes.

    Raises:
        UsageError: its key or its address cannot be used. AskRefused: it does not answer.
    """
    asked = spec if spec.temperature is not None else replace(spec, temperature=0.0)
    model = OpenAIModel(name, spec=asked, timeout_s=timeout_s)
    began = clock()
    answer = model.answer(QUESTION, min(MOST, spec.max_tokens or MOST), WORDS)
    took_s = clock() - began
    manner = model.manner
    used = (answer.prompt_tokens, answer.completion_tokens)
    minds = manner.grammar if chosen(answer.text, WORDS) is not None else "none"
    paid = None if price is None or None in used else price.dollars(used[0] or 0, used[1] or 0)
    return Checked(
        name=name,
        endpoint=model.endpoint,
        limits=manner.limits,
        temperature=manner.temperature is not None,
        system=manner.system,
        stream=manner.stream,
        grammar=minds,
        usage=None not in used,
        reasoning=answer.said > len(answer.text.encode()) + 8,
        seconds=took_s,
        prompt_tokens=used[0],
        completion_tokens=used[1],
        dollars=paid,
        per_proposal=per_proposal,
        proposal_dollars=None if price is None else price.dollars(*per_proposal),
    )
