"""What a run may use, and what it has used: hard stops, and how long they still leave.

Every limit counts what this run did, over its restarts; what earlier runs of the archive did, or
was merged into it, is not of it.

The stops on proposals, judged variants, agents, evaluations, tokens and dollars are exact: nothing
is begun that could go over one. Time and processor time cannot be known before they are spent:
when one of these is used up no proposal is opened any more, and what is under way (at most `LAG`
variants) is finished.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cambrian.archive import Archive, Run
from cambrian.archive.tables.runs import AGENTS_BEFORE, JUDGED_BEFORE
from cambrian.errors import UsageError
from cambrian.evaluators.stages import STAGES
from cambrian.evolution.settings import LIMITS
from cambrian.suite import USUAL_SEEDS

STAGES_OF_VARIANTS = ("smoke", "screen", "full")


@dataclass(frozen=True)
class LimitStatus:
    """One limit: what was spent of it, and when it will be used up at the pace so far.

    Attributes:
        limit: None where there is none. left_s: seconds; None while there is no pace.
    """

    name: str
    spent: float
    limit: float | None
    left_s: float | None

    def to_json(self) -> dict[str, Any]:
        """Name, what was spent, limit and unit, as `cambrian status --json` shows them."""
        return vars(self)


class Budget:
    """The limits of one run: those of its settings, unless a standing order changed one.

    An order holds for as long as the settings say what they said when it was given: who resumes
    a run with another limit on the command line means that one.

    Args:
        settings: the run's, as JSON.
    """

    def __init__(self, archive: Archive, run: Run, settings: Mapping[str, Any]) -> None:
        self._archive = archive
        self._run_id = run.id
        self._first = run.first_proposal
        self.given(settings)
        self._benchmarks = tuple(settings.get("benchmarks", ()))
        self._raced = settings.get("rules", {}).get("seeds") == "raced"

    @property
    def limits(self) -> dict[str, float | None]:
        """Each limit; None where there is none."""
        orders = self._archive.steering.orders(self._run_id)
        return {name: self._limit(name, orders) for name in LIMITS}

    def _limit(self, name: str, orders: Mapping[str, Any]) -> float | None:
        order = orders.get(f"budget.{name}")
        given: float | None = self._given[name]
        if order is None or order["instead_of"] != given:
            return given
        limit: float | None = order["limit"]
        return limit

    def order(self, name: str, limit: float | None) -> bool:
        """Change a limit from now on, over restarts; False if it was so already.

        Raises:
            UsageError: an unknown limit, or a number that is none.
        """
        check_limit(name, limit)
        if self.limits[name] == limit:
            return False
        order = {"limit": limit, "instead_of": self._given[name]}
        return self._archive.steering.order(self._run_id, f"budget.{name}", order)

    @functools.cached_property
    def _per_variant(self) -> int:
        seeds = self._archive.suites.seeds()
        return evaluations_per_variant(self._benchmarks, raced=self._raced, seeds=seeds)

    def given(self, settings: Mapping[str, Any]) -> None:
        """Take the limits of settings, as JSON."""
        self._given = {name: settings.get(name) for name in LIMITS}

    def spent(self, wall_s: float) -> dict[str, float]:
        """What was used of each."""
        return {name: self._spent(name, wall_s) for name in LIMITS}

    def _spent(self, name: str, wall_s: float) -> float:
        if name == "hours":
            return wall_s / 3600
        if name in ("evaluations", "cpu_hours"):
            meters = self._archive.steering.meters(self._run_id)
            if name == "evaluations":
                return int(meters.get("evaluations", 0))
            return meters.get("cpu_s", 0.0) / 3600
        if name in ("tokens", "dollars"):
            money = self._archive.ledger.total(run_id=self._run_id)
            tokens = money.prompt_tokens + money.completion_tokens
            return tokens if name == "tokens" else money.dollars
        if name == "proposals":
            return self._archive.counts()["proposals"] - self._first
        return self._done()[name]

    def _done(self) -> dict[str, int]:
        """What this run has judged and admitted: there may be more in the archive."""
        counts, before = self._archive.counts(), self._before()
        return {
            "judged": counts["judged"] - before[JUDGED_BEFORE],
            "agents": counts["admitted"] - before[AGENTS_BEFORE],
        }

    def _before(self) -> dict[str, int]:
        """What there was when it began. A run of an older Cambrian did not count it: then what is
        recorded of earlier proposals tells."""
        meters = self._archive.steering.meters(self._run_id)
        if JUDGED_BEFORE in meters:
            return {name: int(meters.get(name, 0)) for name in (JUDGED_BEFORE, AGENTS_BEFORE)}
        return self._earlier

    @functools.cached_property
    def _earlier(self) -> dict[str, int]:
        judged, admitted = self._archive.proposals.judged_before(self._first)
        return {JUDGED_BEFORE: judged, AGENTS_BEFORE: admitted}

    def used_up(self, wall_s: float, under_way: int) -> str:
        """The limit that ends the run now, in words; "" while there is room.

        Args:
            under_way: how many proposals are undecided.
        """
        limits = {name: limit for name, limit in self.limits.items() if limit is not None}
        for name, limit in limits.items():
            spent = self._spent(name, wall_s)
            ends = spent >= limit
            if name == "evaluations":
                twins = self._archive.nulls.pending()[1]
                ends = not under_way and spent + twins + self._per_variant > limit
            if ends:
                return f"{limit:g} {name.replace('_', ' ')} are used up"
        return ""

    def must_wait(self, under_way: int) -> bool:
        """Whether one more proposal could go over a limit, depending on what is under way."""
        if not under_way:
            return False
        limits = self.limits
        for name, done in self._done().items():
            limit = limits[name]
            if limit is not None and done + under_way >= limit:
                return True
        return not self.has_room(under_way, self._per_variant)

    def has_room(self, under_way: int, evaluations: int) -> bool:
        """Whether so many evaluations more can go over no limit, whatever those under way take."""
        limit = self.limits["evaluations"]
        if limit is None:
            return True
        used = self._archive.steering.meters(self._run_id).get("evaluations", 0)
        twins = self._archive.nulls.pending()[1]
        return used + twins + under_way * self._per_variant + evaluations <= limit

    def standings(self, wall_s: float) -> list[LimitStatus]:
        """Every limit with what was spent, and the time left at the pace of the run so far."""
        spent, limits = self.spent(wall_s), self.limits
        return [
            LimitStatus(name, spent[name], limits[name], _left_s(spent[name], limits[name], wall_s))
            for name in LIMITS
        ]


def _left_s(spent: float, limit: float | None, wall_s: float) -> float | None:
    if limit is None or spent <= 0 or wall_s <= 0:
        return None
    return max(limit - spent, 0.0) / spent * wall_s


def evaluations_per_variant(
    benchmarks: Sequence[str], *, raced: bool = False, seeds: int = USUAL_SEEDS
) -> int:
    """The most that judging one variant takes, with so many seeds in the suite (sealed runs count
    towards no budget)."""
    own = len(STAGES["smoke"]) + seeds
    return len(benchmarks) * (own + (2 * len(STAGES["race"]) if raced else 0))  # with its parent


def check_limit(name: str, limit: float | None) -> None:
    """Raises UsageError if that is no limit."""
    if name not in LIMITS:
        raise UsageError(f"expected a limit out of {', '.join(LIMITS)}, got {name!r}")
    if limit is None:
        return
    timed = name in ("hours", "cpu_hours")
    if not 0 <= limit < 1e15 or (timed and limit == 0):
        least = "above 0" if timed else "at least 0"
        raise UsageError(f"{name} must be {least} and below 1e15, got {limit:g}")
    whole = name not in ("hours", "cpu_hours", "dollars")
    if whole and limit != int(limit):
        raise UsageError(f"{name} must be a whole number, got {limit:g}")
