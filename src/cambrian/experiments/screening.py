"""How much plain sampling is to be expected to give, from a pilot of independent proposals.

After the idea of arXiv 2606.29119: before a search is paid for, ask which share of the gain that is
left independent sampling alone would give at the same number of proposals.

The model. Scores y of a pilot's variants, each the mean over the same seeds, are θ + ε: a true
score and what the seeds happened to add, of variance σ² (from the spread over seeds, with what all
variants share of a seed taken away). Their upper half is like that of a normal distribution: a line
through the best scores over the normal scores of their ranks (Blom 1958) has intercept a and slope
b. Of n draws the one with the best y is kept; its true score is then expected at

    a + (b² − σ²)⁺ / b · m(n),    m(n) the mean of the largest of n standard normal numbers,

(the regression of θ on y: what is best by luck counts as luck), and the gain is that minus the
score of the agent it would replace, or 0. Variants that left early without a full score count as
ranks below all others. The interval is a parametric bootstrap of the pivot (estimate − truth) / b,
which for a location and a scale has one distribution, whatever these are; where much of the spread
is luck it covers a little less often than it says.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, stats

from cambrian.archive import Agent, Archive
from cambrian.errors import UsageError
from cambrian.evaluators.statistics import CONFIDENCE
from cambrian.evolution.admission.records import results_of, search_seeds

AT = (25, 100, 500)
PILOT = 20
FEWEST = 8
"""Variants in a pilot; the line goes through the upper half of them."""
LEAST_SCORED = 4
RESAMPLES = 4000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pilot:
    """What a pilot found.

    Attributes:
        scores: of the variants with a full score, their means over the same seeds.
        early: how many left early, below all others.
        noise: the variance of a mean that is due to the seeds.
        start: the score that is to be beaten. proposals: how many it took to judge these.
    """

    scores: tuple[float, ...]
    early: int
    noise: float
    start: float
    proposals: int = 0

    @property
    def judged(self) -> int:
        """All variants of the pilot."""
        return len(self.scores) + self.early


@dataclass(frozen=True)
class Expected:
    """The expected gain of the best of n, with an interval, and its share of what is left (None
    where nothing is)."""

    n: int
    gain: float
    lower: float
    upper: float
    share: float | None
    share_lower: float | None
    share_upper: float | None


@dataclass(frozen=True)
class Screen:
    """The figures of a pilot; `spread` is the slope b, of which `noise` (σ) is luck."""

    pilot: Pilot
    ceiling: float
    spread: float
    noise: float
    expected: tuple[Expected, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def pilot_of(archive: Archive, count: int = PILOT) -> Pilot:
    """The first `count` judged variants of an archive that were drawn from seed agents alone.

    Raises:
        UsageError: there are fewer than `FEWEST`, or fewer than `LEAST_SCORED` with a full score.
    """
    seeds = {seed.id for seed in archive.agents.seeds()}
    start = max((seed.score for seed in archive.agents.seeds() if seed.score), default=None)
    chosen: list[Agent] = []
    opened = 0
    for proposal in archive.proposals.select():
        if not seeds.issuperset(proposal.parents):
            continue
        opened += 1
        if proposal.state in ("admitted", "rejected") and proposal.agent_id:
            chosen.append(archive.agents.get(proposal.agent_id))
        if len(chosen) == count:
            break
    kept = archive.suites.current()
    tables = [_per_seed(archive, one.id, kept.suite.benchmarks) for one in chosen] if kept else []
    whole = [table for table in tables if table is not None]
    if start is None or len(chosen) < FEWEST or len(whole) < LEAST_SCORED:
        raise UsageError(
            f"expected a pilot of {FEWEST} judged variants or more that come of seed agents, "
            f"{LEAST_SCORED} of them with a full score, got {len(chosen)} and {len(whole)}: "
            f"`cambrian run --selection random --judged {count}` makes one"
        )
    table = np.array(whole)
    return Pilot(
        tuple(float(one) for one in table.mean(axis=1)),
        len(chosen) - len(whole),
        noise_of(table),
        float(start),
        opened,
    )


def _per_seed(archive: Archive, agent_id: str, benchmarks: Sequence[str]) -> list[float] | None:
    """An agent's score on each seed; None where it was not run on all."""
    try:
        return results_of(archive, agent_id).per_seed(benchmarks, search_seeds(archive))
    except KeyError:
        return None


def noise_of(table: Floats) -> float:
    """The variance of a variant's mean over seeds, of scores (variants, seeds), once what a seed
    does to all is taken away: the mean square of the interaction over the number of seeds."""
    variants, seeds = table.shape
    if variants < 2 or seeds < 2:
        return 0.0
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return float((rest**2).sum() / ((variants - 1) * (seeds - 1)) / seeds)


def screen(
    pilot: Pilot,
    ceiling: float = 1.0,
    at: Sequence[int] = AT,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Screen:
    """What plain sampling is expected to give.

    Args:
        ceiling: the score at which nothing is left to gain.
    """
    values = np.sort(np.array(pilot.scores))[::-1]
    used = _used(len(values), pilot.judged)
    place, slope = _line(values[None, :used], pilot.judged)
    a, b = float(place[0]), float(slope[0])
    real = max(b * b - pilot.noise, 0.0) / b if b > 0 else 0.0
    luck = min(pilot.noise / (b * b), 1.0) if b > 0 else 1.0
    left = ceiling - pilot.start
    found = []
    for n in at:
        low, high = _pivots(pilot.judged, used, n, luck, confidence, seed)
        middle = a + real * largest(n)
        gains = [max(v - pilot.start, 0.0) for v in (middle, middle - high * b, middle - low * b)]
        shares = [gain / left if left > 0 else None for gain in gains]
        found.append(Expected(n, *gains, *shares))
    return Screen(pilot, ceiling, b, float(np.sqrt(pilot.noise)), tuple(found))


def _used(scored: int, judged: int) -> int:
    """How many of the best the line goes through."""
    return min(scored, max(LEAST_SCORED, (judged + 1) // 2))


def _line(best: Floats, judged: int) -> tuple[Floats, Floats]:
    """Intercepts and slopes, (rows,) each, of the best scores (rows, used), the best first, over
    the normal scores of their ranks out of `judged`."""
    ranks = np.arange(1, best.shape[1] + 1)
    x = stats.norm.isf((ranks - 0.375) / (judged + 0.25))
    centred = x - x.mean()
    slopes = np.maximum(best @ centred / (centred @ centred), 0.0)
    return best.mean(axis=1) - slopes * x.mean(), slopes


@functools.lru_cache(maxsize=256)
def _pivots(
    judged: int, used: int, n: int, luck: float, confidence: float, seed: int
) -> tuple[float, float]:
    """The quantiles of (estimate − truth) / b over pilots of standard normal numbers, of whose
    variance `luck` is due to the seeds, and known."""
    draws = np.random.default_rng(seed).standard_normal((RESAMPLES, judged))
    best = -np.sort(-draws, axis=1)[:, :used]
    place, slope = _line(best, judged)
    slope = np.maximum(slope, 1e-12)
    real = np.maximum(slope - luck / slope, 0.0)
    pivots = (place + (real - (1 - luck)) * largest(n)) / slope
    tail = (1 - confidence) / 2
    low, high = np.quantile(pivots, [tail, 1 - tail])
    return float(low), float(high)


@functools.lru_cache(maxsize=64)
def largest(n: int) -> float:
    """The expected largest of n standard normal numbers."""

    def weighed(x: float) -> float:
        return float(x * n * np.exp(stats.norm.logpdf(x) + (n - 1) * stats.norm.logcdf(x)))

    return float(integrate.quad(weighed, -10, 12, limit=200)[0])


ASSUMES: Mapping[str, str] = {
    "independent": "the pilot's variants are independent draws from the seed agents, as those of a "
    "long run without an archive would be",
    "tail": "the better half of scores falls off as a normal distribution does: with a heavier "
    "tail (rare large gains) sampling gives more than this says, with a bounded one less",
    "early": "variants that left early would have scored below all others; they are held against "
    "their own parents, so that a child of a strong seed agent may leave and be better than one of "
    "a weak one that stays: where many left, too little is said",
    "noise": "luck with the seeds is alike for all variants, and is taken out",
    "judged": "n counts judged variants; duplicates and edits that fail come on top",
}


def markdown(found: Screen) -> str:
    """A table, and what it assumes."""
    pilot = found.pilot
    told = (
        f"Pilot: {pilot.judged} judged variants of {pilot.proposals} proposals from seed agents, "
        f"{pilot.early} of them left early; the score to beat is {pilot.start:.3f}, the ceiling "
        f"{found.ceiling:.3f}. Spread of scores {found.spread:.4f}, of it by luck with the seeds "
        f"{found.noise:.4f}."
    )
    lines = [
        told,
        "",
        "| best of | expected gain | 95 % interval | share of what is left | interval |",
        "|---|---|---|---|---|",
    ]
    for one in found.expected:
        shares = [
            "–" if each is None else f"{each:.0%}"
            for each in (one.share, one.share_lower, one.share_upper)
        ]
        lines.append(
            f"| {one.n} | {one.gain:+.3f} | [{one.lower:+.3f}, {one.upper:+.3f}] | {shares[0]} | "
            f"{shares[1]} to {shares[2]} |"
        )
    assumed = ";\n".join(f"- {text}" for text in ASSUMES.values())
    return "\n".join([*lines, "", "This assumes that", "", f"{assumed}.", ""])
