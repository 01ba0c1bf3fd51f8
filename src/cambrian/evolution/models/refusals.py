"""Why a question was not answered, and what it used all the same.

AskRefused           this question will not be answered
├── EndpointDown     no answer, or not now: worth asking again later
├── Misconfigured    no question can be answered until a person changes something
├── TooLong          the question does not fit into the model's context
└── BudgetSpent      what the run may spend does not reach for another question
    └── AllowanceSpent   what one variant may spend does not
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Used:
    """Tokens that a question used; None where the endpoint does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class AskRefused(Exception):
    """Raised by an `Ask` that will not or cannot answer.

    Attributes:
        used: what may have to be paid all the same; None where nothing was sent or the endpoint
            turned the question down before it read it.
    """

    def __init__(self, message: str, used: Used | None = None) -> None:
        super().__init__(message)
        self.used = used


class EndpointDown(AskRefused):
    """No answer, or one that says it cannot now: worth asking again later.

    Attributes:
        wait_s: how long the endpoint says to wait; 0 where it does not say.
    """

    def __init__(self, message: str, used: Used | None = None, wait_s: float = 0.0) -> None:
        super().__init__(message, used)
        self.wait_s = wait_s


class Misconfigured(AskRefused):
    """No question can be answered until a person changes a key, an address, a name."""


class TooLong(AskRefused):
    """The question does not fit into the model's context; a shorter one may."""


class BudgetSpent(AskRefused):
    """What the run may spend does not reach for another question."""


class AllowanceSpent(BudgetSpent):
    """What one variant may spend does not reach for another question of its own."""
