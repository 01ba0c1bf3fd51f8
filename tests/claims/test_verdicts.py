"""The rule for a verdict, with numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cambrian.claims.claim import (
    Claim,
    Close,
    Derived,
    Figures,
    Finding,
    Gain,
    Somewhere,
    verdict_of,
)
from cambrian.errors import UsageError

REACH = 2.7764451
"""Student's t, 95 %, four degrees of freedom: an interval reaches so many standard errors."""


def pieces(**given: Sequence[float]) -> dict[str, list[dict[str, float]]]:
    """condition -> the figure `accuracy` of each seed."""
    return {name: [{"accuracy": value} for value in values] for name, values in given.items()}


def gain(differences: Sequence[float], by: float = 0.0) -> Finding:
    """A gain whose differences per seed are these."""
    figures = Figures(pieces(better=differences, worse=[0.0] * len(differences)))
    return Gain("it gains", "better", "worse", by=by).judge(figures)


def test_the_interval_is_students_t_on_the_differences_per_seed() -> None:
    # 1..5 hundredths: mean 0.03, sd 0.0158114, error sd/sqrt 5 = 0.0070711
    found = gain([0.01, 0.02, 0.03, 0.04, 0.05]).estimate
    assert found.mean == pytest.approx(0.03)
    assert found.lower == pytest.approx(0.03 - REACH * 0.00707107, abs=1e-6)
    assert found.upper == pytest.approx(0.03 + REACH * 0.00707107, abs=1e-6)
    assert found.seeds == 5


@pytest.mark.parametrize(
    ("differences", "by", "verdict", "wants_more"),
    [
        ([0.01, 0.02, 0.03, 0.04, 0.05], 0.0, "holds", False),  # [0.010, 0.050]
        ([-0.05, 0.02, 0.03, 0.04, 0.05], 0.0, "not settled", True),  # 0.018 [-0.033, 0.069]
        ([-0.09, 0.02, 0.03, 0.02, 0.01], 0.0, "did not reproduce", True),  # -0.002, both sides
        ([-0.01, -0.02, -0.03, -0.04, -0.05], 0.0, "did not reproduce", False),
        ([0.0] * 5, 0.0, "did not reproduce", True),
        ([0.01, 0.02, 0.03, 0.04, 0.05], 0.1, "did not reproduce", False),  # never reaches 0.1
        ([0.15, 0.12, 0.13, 0.14, 0.11], 0.1, "holds", False),
        ([0.5, -0.3, 0.4, -0.1, 0.2], 0.1, "not settled", True),  # mean 0.14, below 0 possible
        ([-0.004, -0.003, -0.002, -0.003, -0.003], -0.01, "holds", False),  # within the margin
        ([-0.02, -0.003, 0.01, -0.003, 0.001], -0.01, "not settled", True),  # -0.003, to -0.016
        ([-0.03, -0.02, -0.03, -0.02, -0.03], -0.01, "did not reproduce", False),
    ],
)
def test_a_gain_holds_by_its_mean_and_its_interval(
    differences: list[float], by: float, verdict: str, wants_more: bool
) -> None:
    found = gain(differences, by)
    assert (found.verdict, found.open) == (verdict, wants_more)


@pytest.mark.parametrize(
    ("differences", "verdict", "wants_more"),
    [
        ([0.01, 0.02, 0.01, 0.0, 0.01], "holds", False),
        ([0.09, -0.05, 0.04, 0.02, -0.04], "not settled", True),  # 0.012 [-0.060, 0.084]
        ([0.06, 0.05, 0.06, 0.07, 0.06], "did not reproduce", True),  # 0.06 [0.051, 0.069]... near
        ([-0.16, -0.15, -0.16, -0.17, -0.16], "did not reproduce", False),
    ],
)
def test_two_are_close_when_the_whole_interval_is_within(
    differences: list[float], verdict: str, wants_more: bool
) -> None:
    figures = Figures(pieces(better=differences, worse=[0.0] * 5))
    found = Close("the same", "better", "worse", within=0.055).judge(figures)
    assert (found.verdict, found.open) == (verdict, wants_more)


def test_looking_at_many_shares_the_five_percent_between_them() -> None:
    one = [0.01, 0.02, 0.03, 0.04, 0.05]
    figures = Figures(pieces(a=one, b=[0.0] * 5, c=[-x for x in one]))
    pairs = (("a", "b", "accuracy"), ("c", "b", "accuracy"))
    found = Somewhere("somewhere", pairs).judge(figures)
    assert found.estimate.confidence == pytest.approx(0.975)
    # t(0.9875, 4) = 3.4954059
    assert found.estimate.lower == pytest.approx(0.03 - 3.4954059 * 0.00707107, abs=1e-6)
    assert found.verdict == "holds"
    assert "shown on 1, the opposite on 1 of 2" in found.said


def test_a_pair_that_is_equal_does_not_hide_one_that_may_be_better() -> None:
    figures = Figures(pieces(a=[0.0] * 5, b=[0.0] * 5, c=[-0.05, 0.02, 0.03, 0.04, 0.05]))
    pairs = (("a", "b", "accuracy"), ("c", "b", "accuracy"))
    found = Somewhere("somewhere", pairs).judge(figures)
    assert (found.verdict, found.open) == ("not settled", True)
    assert found.estimate.mean == pytest.approx(0.018)


def test_the_worst_deciding_test_is_the_claims_verdict() -> None:
    holds, open_ = gain([0.01, 0.02, 0.03, 0.04, 0.05]), gain([-0.05, 0.02, 0.03, 0.04, 0.05])
    lost = gain([-0.01, -0.02, -0.03, -0.04, -0.05])
    assert verdict_of([holds, holds]) == "holds"
    assert verdict_of([holds, open_]) == "not settled"
    assert verdict_of([holds, open_, lost]) == "did not reproduce"


def test_a_control_is_shown_and_decides_nothing() -> None:
    tests = (
        Gain("it gains", "better", "worse"),
        Gain("above chance too", "worse", "better", control=True),
    )
    figures = Figures(pieces(better=[0.2, 0.3, 0.2, 0.3, 0.2], worse=[0.1] * 5))
    found = made(tests=tests).judge(figures)
    assert [finding.verdict for finding in found] == ["holds", "did not reproduce"]
    assert verdict_of(found) == "holds"


def test_what_is_open_is_not_settled_until_all_seeds_are_taken() -> None:
    few = [-0.09, 0.02, 0.03, 0.02, 0.01]  # mean -0.002, the interval on both sides of 0
    for seeds, verdict in ((5, "not settled"), (20, "did not reproduce")):
        differences = (few * 4)[:seeds]
        figures = Figures(pieces(better=differences, worse=[0.0] * seeds))
        found = made().judge(figures)[0]
        assert (found.open, found.verdict) == (True, verdict)


def test_figures_remember_what_was_looked_at() -> None:
    figures = Figures({"a": [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]})
    assert figures.mean("a", "x") == 2.0
    assert figures.used() == {"a": {"x": [1.0, 3.0]}}


def test_a_figure_that_was_not_measured_is_an_error_that_says_which_there_are() -> None:
    figures = Figures({"a": [{"x": 1.0}]})
    with pytest.raises(UsageError, match="a condition of a; got 'b'"):
        figures.each("b", "x")
    with pytest.raises(UsageError, match="a figure of x of a; got 'y'"):
        figures.each("a", "y")


def test_a_claim_needs_a_test_that_decides_and_five_seeds() -> None:
    control = Gain("control", "better", "worse", control=True)
    with pytest.raises(UsageError, match="a test that decides"):
        made(tests=(control,))
    with pytest.raises(UsageError, match="5 seeds or more"):
        made(seeds=4)
    with pytest.raises(UsageError, match="no fewer in the end; got 10 and 5"):
        made(seeds=10, most=5)


def test_a_derived_value_says_its_figures_in_words() -> None:
    figures = Figures(pieces(better=[0.2, 0.4], worse=[0.1, 0.1]))
    test = Derived("half", lambda f: f.each("better", "accuracy"), lambda f: "two seeds")
    assert test.judge(figures).said == "two seeds"
    assert test.judge(figures).estimate.mean == pytest.approx(0.3)


def made(**changes: Any) -> Claim:
    """A claim about nothing."""
    given: dict[str, Any] = {
        "name": "made",
        "citation": "nobody",
        "says": "it gains",
        "experiment": "none",
        "controls": "none",
        "conditions": {"better": _nothing, "worse": _nothing},
        "tests": (Gain("it gains", "better", "worse"),),
    }
    return Claim(**{**given, **changes})


def _nothing(rig: object, seed: int) -> dict[str, float]:
    return {"accuracy": float(seed)}
