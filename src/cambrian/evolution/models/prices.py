"""What models cost: US dollars per million tokens, as the user states them.

There is no built-in list: prices change, and a wrong one would make a hard stop a soft one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cambrian.errors import UsageError

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """Dollars per million prompt tokens and per million completion tokens."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        for name in ("prompt", "completion"):
            value = getattr(self, name)
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
                raise UsageError(f"expected dollars per million {name} tokens, got {value!r}")

    @classmethod
    def of(cls, text: str) -> Price:
        """From "PROMPT,COMPLETION".

        Raises:
            UsageError: it is not two numbers.
        """
        parts = text.split(",")
        try:
            prompt, completion = (float(part) for part in parts)
        except ValueError:
            raise UsageError(
                f'expected a price as "PROMPT,COMPLETION" (dollars per million tokens), '
                f"got {text!r}"
            ) from None
        return cls(prompt, completion)

    def dollars(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / MILLION


def expect_priced(models: Iterable[str], prices: Mapping[str, Price]) -> None:
    """Raises UsageError if one of the models has no price, for a limit in dollars needs one."""
    for name in models:
        if name not in prices:
            raise UsageError(
                f"a limit in dollars needs the price of {name}: give --price "
                "PROMPT,COMPLETION (dollars per million tokens), or state it in cambrian.toml "
                "(price_in and price_out under [models.NAME], or [prices])"
            )
