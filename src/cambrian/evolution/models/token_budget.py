"""What a run may still spend on questions: put aside before each is asked, booked after it.

What a question may cost at most is put aside (durably) before it is asked: its prompt cannot have
more tokens than bytes, and its answer is limited to what is put aside for it. So the limits are
never gone over, as long as the endpoint keeps to what an answer may have; if it does not, what it
used is booked in full, and the run is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio

from cambrian.archive import Archive, Spend
from cambrian.archive.tables.ledger import Reserved
from cambrian.evolution.models.endpoint import MAX_ANSWER_TOKENS
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.refusals import AllowanceSpent, BudgetSpent, Misconfigured
from cambrian.evolution.models.replies import MAX_TOKENS

NOTHING = Reserved()
LEAST_ANSWER_TOKENS = 256
"""Less than this is no answer: the budget then counts as spent."""


class TokenBudget:
    """What a run may still spend on questions, shared by all its brokers.

    Attributes:
        answer_tokens: the most that an answer may have.
    """

    def __init__(
        self,
        archive: Archive,
        run_id: int,
        limits: Callable[[], Mapping[str, float | None]],
        prices: Callable[[], Mapping[str, Price]] = dict,
        answer_tokens: Callable[[], int] = lambda: MAX_ANSWER_TOKENS,
        allowance: Callable[[], Mapping[str, float | None]] = dict,
    ) -> None:
        self.archive = archive
        self.run_id = run_id
        self._limits = limits
        self._prices = prices
        self._answer_tokens = answer_tokens
        self._allowance = allowance  # of one variant
        self._changed = anyio.Event()
        self._prompts: dict[str, int] = {}  # of the last first question of a proposal, by model
        self._added: dict[str, int] = {}  # the most that an endpoint added to a question

    def dollars(self, model: str, prompt_tokens: int, completion_tokens: int) -> float:
        """What that costs; 0 where no price is known (and then dollars are not limited)."""
        price = self._prices().get(model)
        return price.dollars(prompt_tokens, completion_tokens) if price else 0.0

    async def reserve(
        self, proposal_id: int, position: int, model: str, prompt: int, cap: int | None = None
    ) -> int:
        """Reserve for a question; waits while others that are under way may leave room.

        Args:
            cap: tokens that this answer may have at most, whatever else it may cost.

        Returns:
            The most tokens that its answer may have.

        Raises:
            BudgetSpent: what is left does not reach for an answer worth having.
            AllowanceSpent: what is left of its variant's allowance does not.
            Misconfigured: there is a limit in dollars, and no price.
        """
        limited = (self._limits().get("dollars"), self._allowance().get("dollars"))
        if any(one is not None for one in limited) and model not in self._prices():
            raise Misconfigured(
                f"the run is limited in dollars and {model} has no known price: give --price, or "
                "state it in cambrian.toml (price_in and price_out of [models.NAME], or [prices])"
            )
        prompt += self._added.get(model, 0)
        if position == 0:
            self._prompts[model] = prompt
        own = self._room_of_variant(proposal_id, model, prompt)
        least = min(LEAST_ANSWER_TOKENS, self._answer_tokens(), cap or LEAST_ANSWER_TOKENS)
        if own < least:
            raise AllowanceSpent(self._allowance_text())
        while True:
            most = min(self._answer_tokens(), own, cap or MAX_TOKENS)
            answer = min(self._room(model, prompt), most)
            if answer == most:
                break
            if not self.archive.ledger.reserved(self.run_id).tokens:
                if answer < min(LEAST_ANSWER_TOKENS, most):
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

    def used(self, model: str, prompt: int, prompt_tokens: int) -> None:
        """A question of at most `prompt` tokens took so many: what its endpoint adds to it (a long
        template, a prompt of its own) is put aside for from now on."""
        self._added[model] = max(self._added.get(model, 0), prompt_tokens - prompt)

    def released(self) -> None:
        """A question came to its end: others may have room now."""
        self._changed.set()
        self._changed = anyio.Event()

    # -- before a proposal is opened ---------------------------------------------------

    def used_up(self, model: str) -> str:
        """The limit that leaves no room for one more question, in words; "" where there is room.

        The next question is taken to be as long as the last one.
        """
        prompt, least = self._prompts.get(model, 0), min(LEAST_ANSWER_TOKENS, self._answer_tokens())
        for name, limit in self._given():
            if self._room_within(name, limit, model, prompt) < least:
                return f"{limit:g} {name} are used up"
        return ""

    def must_wait(self, model: str, making: int) -> bool:
        """Whether one more proposal might find nothing left, depending on what is under way.

        Args:
            making: how many proposals' variants are being made.
        """
        if not making or not self._given():
            return False
        if not self._prompts:
            return True  # what a question takes is known with the first one
        # A model that was never asked is taken to need twice what the others do.
        prompt = self._prompts.get(model, 2 * max(self._prompts.values()))
        more = making + 1  # each may ask once more
        room = self._room(model, more * prompt + (more - 1) * self._answer_tokens())
        return room < self._answer_tokens()

    # -- what is left ------------------------------------------------------------------

    def _room_of_variant(self, proposal_id: int, model: str, prompt: int) -> int:
        """Tokens that an answer may have within its variant's allowance."""
        given = [(name, limit) for name, limit in self._allowance().items() if limit is not None]
        if not given:
            return MAX_TOKENS
        spent = self.archive.ledger.total(proposal_id=proposal_id)
        rooms = [self._left(name, limit, model, prompt, spent) for name, limit in given]
        return min([MAX_TOKENS, *rooms])

    def _allowance_text(self) -> str:
        said = [f"{limit:g} {name}" for name, limit in self._allowance().items() if limit]
        return f"the variant's allowance of {' and '.join(said) or 'nothing'} is spent"

    def _given(self) -> list[tuple[str, float]]:
        limits = self._limits()
        found = ((name, limits.get(name)) for name in ("tokens", "dollars"))
        return [(name, limit) for name, limit in found if limit is not None]

    def _room(self, model: str, prompt: int) -> int:
        """Tokens that an answer may have within every limit, before the usual maximum."""
        rooms = [self._room_within(name, limit, model, prompt) for name, limit in self._given()]
        return min([MAX_TOKENS, *rooms])

    def _room_within(self, name: str, limit: float, model: str, prompt: int) -> int:
        spent = self.archive.ledger.total(run_id=self.run_id)
        return self._left(
            name, limit, model, prompt, spent, self.archive.ledger.reserved(self.run_id)
        )

    def _left(
        self,
        name: str,
        limit: float,
        model: str,
        prompt: int,
        spent: Spend,
        reserved: Reserved = NOTHING,
    ) -> int:
        """Tokens that an answer may have within one limit."""
        if name == "tokens":
            used = spent.prompt_tokens + spent.completion_tokens + reserved.tokens
            return int(limit) - used - prompt
        price = self._prices().get(model)
        if price is None:
            return MAX_TOKENS  # the question itself will say so
        left = limit - spent.dollars - reserved.dollars - price.dollars(prompt, 0)
        if price.completion:
            return int(max(min(left / price.dollars(0, 1), MAX_TOKENS), -MAX_TOKENS))
        return 0 if left < 0 else MAX_TOKENS

    def _spent_text(self) -> str:
        said = [f"{limit:g} {name}" for name, limit in self._given()]
        return f"the run's budget of {' and '.join(said) or 'nothing'} is spent"
