"""What a claim is: a sentence of a paper, an experiment that could refute it, and a verdict.

An experiment has conditions that run on the same seeds, and tests on what they gave. A test looks
at one difference per seed; its verdict follows from the mean and the 95 % t interval by a rule that
is fixed beforehand. A claim holds if all of its tests do that are no controls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cambrian.errors import UsageError
from cambrian.evaluators.statistics import (
    CONFIDENCE,
    MINIMUM_SEEDS,
    Estimate,
    mean_interval,
)

if TYPE_CHECKING:
    from cambrian.claims.rig import Rig

Verdict = Literal["holds", "did not reproduce", "not settled"]
WORST_FIRST: tuple[Verdict, ...] = ("did not reproduce", "not settled", "holds")

MOST_SEEDS = 20
"""Seeds where `MINIMUM_SEEDS` do not settle a claim. With two looks, each at a one-sided level of
2.5 %, a difference that is not there is said to hold with a chance of at most 5 % (Bonferroni)."""

Measured = Mapping[str, float]
"""The figures that one condition gave with one seed, by name."""

Condition = Callable[["Rig", int], Measured]
"""Runs one condition with one seed. One that has an attribute `sources` (path -> text) says with it
which learner it runs: a result is stale once that has changed."""


class Figures:
    """What every condition gave, seed by seed; remembers what was asked for.

    Attributes:
        asked: the (condition, figure) pairs that a test has looked at.
    """

    def __init__(self, pieces: Mapping[str, Sequence[Measured]]) -> None:
        self.pieces = pieces
        self.asked: dict[tuple[str, str], None] = {}

    def each(self, condition: str, figure: str) -> list[float]:
        """One value per seed.

        Raises:
            UsageError: no such condition, or it gave no such figure.
        """
        if condition not in self.pieces:
            known = ", ".join(self.pieces)
            raise UsageError(f"expected a condition of {known}; got {condition!r}")
        self.asked[condition, figure] = None
        given = self.pieces[condition]
        for piece in given:
            if figure not in piece:
                known = ", ".join(sorted(piece))
                raise UsageError(f"expected a figure of {known} of {condition}; got {figure!r}")
        return [piece[figure] for piece in given]

    def mean(self, condition: str, figure: str) -> float:
        """The mean over seeds. Raises UsageError: as `each`."""
        return float(np.mean(self.each(condition, figure)))

    def used(self) -> dict[str, dict[str, list[float]]]:
        """All that was asked for: figure by figure, one value per seed."""
        found: dict[str, dict[str, list[float]]] = {}
        for condition, figure in list(self.asked):
            found.setdefault(condition, {})[figure] = self.each(condition, figure)
        return found


@dataclass(frozen=True)
class Finding:
    """How one test went.

    Attributes:
        says: what was tested.
        estimate: the mean difference per seed with its interval.
        said: the figures behind it, in words.
        control: it is shown beside the verdict, and decides nothing.
        open: more seeds could change it.
    """

    says: str
    verdict: Verdict
    estimate: Estimate
    said: str = ""
    control: bool = False
    open: bool = False


class Test(ABC):
    """One difference per seed that has to be above a threshold.

    The rule: *holds* where the mean reaches `by` and the interval is above min(0, by); *did not
    reproduce* where the mean does not reach `by` (or, by = 0, is not above it); else *not settled*.
    As long as a claim has more seeds to come, what the interval leaves open is not settled either.
    A negative `by` is a margin: "at least as good, up to so much".

    Attributes:
        says: what is tested, as a sentence.
        by: what the mean has to reach.
        control: the finding is shown beside the verdict, and decides nothing.
    """

    __test__ = False  # for pytest, which collects by name

    says: str
    by: float
    control: bool

    @abstractmethod
    def differences(self, figures: Figures) -> list[float]:
        """One per seed. Raises UsageError: figures that were not measured."""

    def said(self, figures: Figures) -> str:
        """The figures behind the difference, in words."""
        del figures
        return ""

    def estimate(self, figures: Figures) -> Estimate:
        """The mean difference with its interval. Raises UsageError: as `differences`."""
        return mean_interval(self.differences(figures))

    def verdict(self, found: Estimate) -> Verdict:
        """The rule above."""
        edge = min(0.0, self.by)
        if found.mean < self.by or found.mean <= edge:
            return "did not reproduce"
        return "holds" if found.lower > edge else "not settled"

    def unsettled(self, found: Estimate) -> bool:
        """Whether the interval leaves it open: more seeds could change the verdict."""
        return self.verdict(found) != "holds" and found.upper >= self.by

    def judge(self, figures: Figures) -> Finding:
        """The finding. Raises UsageError: figures that were not measured."""
        found = self.estimate(figures)
        return Finding(
            self.says,
            self.verdict(found),
            found,
            self.said(figures),
            self.control,
            self.unsettled(found),
        )


@dataclass(frozen=True)
class Gain(Test):
    """`better` is above `worse` in a figure, on the same seeds."""

    says: str
    better: str
    worse: str
    figure: str = "accuracy"
    by: float = 0.0
    control: bool = False

    def differences(self, figures: Figures) -> list[float]:
        pairs = zip(
            figures.each(self.better, self.figure),
            figures.each(self.worse, self.figure),
            strict=True,
        )
        return [a - b for a, b in pairs]

    def said(self, figures: Figures) -> str:
        means = (f"{c} {figures.mean(c, self.figure):.3g}" for c in (self.better, self.worse))
        return f"{self.figure}: {', '.join(means)}"


@dataclass(frozen=True)
class Close(Gain):
    """Two conditions differ by less than `within`, to either side.

    *Holds* where the whole interval is within, *did not reproduce* where the mean is not, else *not
    settled*.
    """

    within: float = 0.05

    def verdict(self, found: Estimate) -> Verdict:
        if abs(found.mean) >= self.within:
            return "did not reproduce"
        inside = -self.within < found.lower and found.upper < self.within
        return "holds" if inside else "not settled"

    def unsettled(self, found: Estimate) -> bool:
        overlaps = found.lower < self.within and found.upper > -self.within
        return self.verdict(found) != "holds" and overlaps


@dataclass(frozen=True)
class Derived(Test):
    """A value per seed, worked out of several figures, is above a threshold."""

    says: str
    value: Callable[[Figures], Sequence[float]]
    words: Callable[[Figures], str] | None = None
    by: float = 0.0
    control: bool = False

    def differences(self, figures: Figures) -> list[float]:
        return [float(each) for each in self.value(figures)]

    def said(self, figures: Figures) -> str:
        return self.words(figures) if self.words else ""


Pair = tuple[str, str, str]
"""A condition that may be better, another, and a figure."""


@dataclass(frozen=True)
class Somewhere(Test):
    """Of several pairs of conditions, the first is above the second in at least one.

    The pair with the best verdict decides, and of those the one with the highest lower bound; the
    intervals share the 5 % between them (Bonferroni), so that looking at many does not make one up.
    """

    says: str
    pairs: tuple[Pair, ...]
    by: float = 0.0
    control: bool = False

    def differences(self, figures: Figures) -> list[float]:
        return Gain("", *self._best(figures)[0]).differences(figures)

    def estimate(self, figures: Figures) -> Estimate:
        return self._best(figures)[1]

    def said(self, figures: Figures) -> str:
        found = self._estimates(figures).values()
        above, below = (sum(each.lower > 0 for each in found), sum(e.upper < 0 for e in found))
        (better, worse, figure), _ = self._best(figures)
        means = Gain("", better, worse, figure).said(figures)
        return f"shown on {above}, the opposite on {below} of {len(self.pairs)}; most, {means}"

    def _best(self, figures: Figures) -> tuple[Pair, Estimate]:
        found = self._estimates(figures)
        return max(found.items(), key=lambda item: (self._rank(item[1]), item[1].lower))

    def _rank(self, found: Estimate) -> int:
        return WORST_FIRST.index(self.verdict(found))

    def _estimates(self, figures: Figures) -> dict[Pair, Estimate]:
        sure = 1 - (1 - CONFIDENCE) / len(self.pairs)
        each = {pair: Gain("", *pair).differences(figures) for pair in self.pairs}
        return {pair: mean_interval(found, sure) for pair, found in each.items()}


@dataclass(frozen=True)
class Claim:
    """What a paper claims, and how it is put to the test here.

    Attributes:
        name: of its file in `cambrian.claims.papers`.
        row: of the paper in `cambrian.claims.literature`; None for a paper that is not among them.
        citation: authors, year, title, where.
        says: what the paper claims, in one sentence.
        experiment: what is run here, and what would refute the claim.
        controls: what is held equal, and what else could explain a difference.
        conditions: by name; all run on the same seeds.
        tests: what is asked of the figures; at least one of them decides.
        seeds: how many first.
        most: how many where those do not settle it.
    """

    name: str
    citation: str
    says: str
    experiment: str
    controls: str
    conditions: Mapping[str, Condition]
    tests: tuple[Test, ...]
    row: int | None = None
    seeds: int = MINIMUM_SEEDS
    most: int = MOST_SEEDS

    def __post_init__(self) -> None:
        if not self.conditions or all(test.control for test in self.tests):
            raise UsageError(f"{self.name}: expected a condition and a test that decides")
        if not MINIMUM_SEEDS <= self.seeds <= self.most:
            raise UsageError(
                f"{self.name}: expected {MINIMUM_SEEDS} seeds or more, and no fewer in the end; "
                f"got {self.seeds} and {self.most}"
            )

    def judge(self, figures: Figures) -> tuple[Finding, ...]:
        """How each test went. What an interval leaves open is not settled as long as there are
        fewer than `most` seeds; then the mean decides.

        Raises:
            UsageError: a test asks for what was not measured.
        """
        return tuple(self._patient(test.judge(figures)) for test in self.tests)

    def _patient(self, found: Finding) -> Finding:
        if found.open and found.estimate.seeds < self.most:
            return replace(found, verdict="not settled")
        return found


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Of a claim: the worst of the tests that decide."""
    found = {finding.verdict for finding in findings if not finding.control}
    return next(verdict for verdict in WORST_FIRST if verdict in found)
