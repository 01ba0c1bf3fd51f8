"""Comparisons over seeds and benchmarks; docs/statistics.md says what each guarantees.

`intervals` (Student's t over seeds), `paired` (bootstrap and permutation tests, Holm over
benchmarks), `aggregate` (interquartile mean, probability of improvement, stratified intervals,
as rliable has them), `suite` and `weights` (a score over the families of a suite), `racing` (seeds
taken in looks, and stopping when enough is known).
"""

from __future__ import annotations

from cambrian.evaluators.statistics.aggregate import (
    interquartile_mean,
    optimality_gap,
    probability_of_improvement,
    probability_of_improvement_interval,
    stratified_interval,
)
from cambrian.evaluators.statistics.intervals import (
    CONFIDENCE,
    Estimate,
    mean_interval,
    paired_difference,
)
from cambrian.evaluators.statistics.paired import (
    MINIMUM_SEEDS,
    Difference,
    bootstrap_interval,
    holm,
    per_benchmark,
    permutation_p,
)
from cambrian.evaluators.statistics.racing import RACE, Claim, Race, claim, next_look
from cambrian.evaluators.statistics.suite import SuiteScore, suite_score
from cambrian.evaluators.statistics.weights import capped_weights

__all__ = [
    "CONFIDENCE",
    "MINIMUM_SEEDS",
    "RACE",
    "Claim",
    "Difference",
    "Estimate",
    "Race",
    "SuiteScore",
    "bootstrap_interval",
    "capped_weights",
    "claim",
    "holm",
    "interquartile_mean",
    "mean_interval",
    "next_look",
    "optimality_gap",
    "paired_difference",
    "per_benchmark",
    "permutation_p",
    "probability_of_improvement",
    "probability_of_improvement_interval",
    "stratified_interval",
    "suite_score",
]
