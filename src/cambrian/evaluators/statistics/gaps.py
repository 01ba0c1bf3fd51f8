"""Search minus sealed: does an agent fall further from the one to the other than others do?

The streams of a sealed run differ from those of a search, and so do their difficulty and their
scale: one agent's gap says little. Both agents of a pair meet the same streams, though. What is
tested is the difference in differences (Card & Krueger 1994): the champion minus the references,
paired by unit (a seed, or a stream), on the search's units, minus the same on the sealed ones. What
a unit has in common for all agents cancels. Where the two sides share no unit the interval is
Welch's for two independent samples. Where seeds are few and benchmarks many (`statistics.families`)
the unit is the benchmark, which is on both sides: then it is a t interval over benchmarks.

The champion is the best of many by the very scores that stand on the search's side, so that some
fall is to be expected (the winner's curse). An alarm therefore needs the bound at a level divided
by the number of candidates that it was chosen from (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from cambrian.evaluators.statistics.families import mean_over_families
from cambrian.evaluators.statistics.intervals import CONFIDENCE, Estimate, mean_interval

Rows = Sequence[Sequence[float]]
GapState = Literal["none", "watch", "alarm"]


@dataclass(frozen=True)
class Excess:
    """How much further one agent falls than the references do.

    Attributes:
        estimate: with the interval of an agent that was named beforehand.
        corrected: with that of the best of `candidates`.
    """

    estimate: Estimate
    corrected: Estimate
    candidates: int

    @property
    def state(self) -> GapState:
        """`alarm`: more than choosing the best of the candidates can explain; `watch`: more than
        chance, but not more than that choice can explain; else `none`."""
        if self.corrected.lower > 0:
            return "alarm"
        return "watch" if self.estimate.lower > 0 else "none"


def excess(
    search: Sequence[float],
    sealed: Sequence[float],
    references_search: Rows,
    references_sealed: Rows,
    candidates: int,
    shares: Sequence[float] = (),
    confidence: float = CONFIDENCE,
) -> Excess:
    """The excess of an agent's gap over the mean gap of the references.

    Args:
        search, sealed: its scores by unit, (units,) and (sealed units,).
        references_search, references_sealed: those of the references on the same units,
            (references, units) and (references, sealed units).
        candidates: how many agents it was chosen from, itself included.
        shares: where the units of both sides are the same benchmarks, what each counts for,
            (units,), adding up to 1.

    Raises:
        ValueError: no reference, not the same units, a value that is not finite, or no candidate.
    """
    if candidates < 1:
        raise ValueError(f"expected at least one candidate, got {candidates}")
    before = _minus(search, references_search)
    after = _minus(sealed, references_sealed)
    corrected = 1 - (1 - confidence) / candidates
    return Excess(
        fall(before, after, shares, confidence), fall(before, after, shares, corrected), candidates
    )


def fall(
    search: Sequence[float],
    sealed: Sequence[float],
    shares: Sequence[float] = (),
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Search minus sealed, (units,) and (sealed units,): of two samples that share no unit, or pair
    by pair over the same benchmarks, of which each counts for its share.

    Raises:
        ValueError: no values, one that is not finite, or pairs that are none.
    """
    if not shares:
        return independent_difference(search, sealed, confidence)
    pairs = zip(search, sealed, strict=True)
    return mean_over_families([[one - other] for one, other in pairs], shares, confidence)


def independent_difference(
    one: Sequence[float], other: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """Mean of one sample minus the mean of another that shares no seed with it, with Welch's t
    interval (Welch 1947; degrees of freedom by Satterthwaite 1946). `seeds` is the smaller of the
    two numbers; with one value in either the bounds are infinite.

    Raises:
        ValueError: no values in one of them, or a value that is not finite.
    """
    x, y = (mean_interval(values, confidence) for values in (one, other))
    mean, seeds = x.mean - y.mean, min(x.seeds, y.seeds)
    if seeds == 1:
        return Estimate(mean, -np.inf, np.inf, seeds, confidence)
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (one, other)]
    total = sum(parts)
    if total == 0:
        return Estimate(mean, mean, mean, seeds, confidence)
    shares = zip(parts, (x.seeds, y.seeds), strict=True)
    freedom = total**2 / sum(part**2 / (count - 1) for part, count in shares)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * total**0.5
    return Estimate(mean, mean - reach, mean + reach, seeds, confidence)


def _minus(scores: Sequence[float], references: Rows) -> list[float]:
    """An agent's scores minus the mean of the references' under each unit."""
    if not references or any(len(row) != len(scores) for row in references):
        raise ValueError(
            f"expected references with {len(scores)} units each, got {[len(r) for r in references]}"
        )
    difference = np.asarray(scores, np.float64) - np.asarray(references, np.float64).mean(0)
    return [float(value) for value in difference]
