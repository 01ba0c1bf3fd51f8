"""What papers lead one to expect of a strategy, on the landscape that was made for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cambrian.evaluators.statistics import Estimate
from cambrian.experiments.summary import Summary

Verdict = Literal["as expected", "the other way round", "no difference shown"]


@dataclass(frozen=True)
class Expectation:
    """The strategy's champion is truly better than the baseline's, in the words of a paper."""

    landscape: str
    strategy: str
    baseline: str
    says: str


EXPECTATIONS: Sequence[Expectation] = (
    Expectation("smooth", "greedy", "random", "climbing pays where nothing is in the way"),
    Expectation("smooth", "power-law", "random", "ShinkaEvolve: ranks exploit (2509.19349)"),
    Expectation("smooth", "clade", "random", "HGM: clades find what pays (2510.21614)"),
    Expectation("deceptive", "dgm", "greedy", "DGM: an archive escapes (2505.22954, 4.3)"),
    Expectation("deceptive", "novelty", "greedy", "novelty beats objectives (Lehman 2011)"),
    Expectation("deceptive", "islands", "greedy", "islands keep apart what climbs (FunSearch)"),
    Expectation("deceptive", "lexicase", "greedy", "specialists survive (La Cava 2016)"),
    Expectation("neutral", "dgm", "greedy", "drift crosses plateaus (Mitchell 1992)"),
    Expectation("neutral", "last", "greedy", "drift crosses plateaus (Mitchell 1992)"),
    Expectation("rugged", "clade", "greedy", "HGM: descendants tell more than scores (3.1)"),
    Expectation("rugged", "islands", "greedy", "islands keep apart what climbs (Whitley 1999)"),
    Expectation("noisy", "power-law", "greedy", "one lucky score misleads the greedy"),
    Expectation("noisy", "clade", "greedy", "HGM: clades average noise away (3.2)"),
    Expectation("stones", "dgm", "greedy", "DGM: stepping stones pay (2505.22954, 4.3)"),
    Expectation("stones", "novelty", "greedy", "novelty beats objectives (Lehman 2011)"),
    Expectation("stones", "pareto", "greedy", "GEPA: a front keeps what is best at one thing"),
    Expectation("stones", "lexicase", "greedy", "specialists survive (La Cava 2016)"),
)


@dataclass(frozen=True)
class Finding:
    """How an expectation went under one rule and budget: the paired difference at the end."""

    expected: Expectation
    admission: str
    budget: int
    repeats: int
    difference: Estimate

    @property
    def verdict(self) -> Verdict:
        """By the 95 % interval of the paired difference."""
        if self.difference.lower > 0:
            return "as expected"
        if self.difference.upper < 0:
            return "the other way round"
        return "no difference shown"


def findings(measured: Iterable[Summary]) -> list[Finding]:
    """Each expectation under each rule and budget that was measured."""
    every = list(measured)
    return [
        Finding(
            expected,
            one.cell.admission,
            one.cell.budget,
            one.against[expected.baseline].seeds,
            one.against[expected.baseline],
        )
        for expected in EXPECTATIONS
        for one in every
        if (one.cell.landscape, one.cell.strategy) == (expected.landscape, expected.strategy)
        and expected.baseline in one.against
    ]
