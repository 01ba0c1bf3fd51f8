"""What the scores on a suite's families come to."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.evaluators.statistics.aggregate import interquartile_mean
from cambrian.evaluators.statistics.suite import FAILED, suite_score

WEIGHTS = {"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.5, "e": 1.0}
SCORES = {name: [0.1 * k, 0.1 * k + 0.02, 0.1 * k - 0.02] for k, name in enumerate("abcde")}


def test_the_mean_is_weighted_and_the_vector_is_in_the_suites_order() -> None:
    found = suite_score(SCORES, WEIGHTS)
    assert list(found.vector) == list("abcde")
    assert found.mean == pytest.approx((0.0 + 0.1 + 0.5 * 0.2 + 0.5 * 0.3 + 0.4) / 4)
    assert [name for name, _ in found.worst] == ["a", "b", "c"]
    assert found.failed == ()


def test_one_stream_cannot_carry_the_middle() -> None:
    loud = {**SCORES, "e": [2.0, 2.0, 2.0]}
    quiet, moved = suite_score(SCORES, WEIGHTS), suite_score(loud, WEIGHTS)
    assert quiet.middle is not None
    assert moved.middle is not None
    assert moved.middle.mean == pytest.approx(quiet.middle.mean, abs=0.01)
    assert moved.mean > quiet.mean + 0.3
    assert quiet.middle.lower <= quiet.middle.mean <= quiet.middle.upper
    table = np.array(list(SCORES.values())).T
    assert quiet.middle.mean == pytest.approx(interquartile_mean(table))


def test_a_failure_counts_as_the_least_there_is_and_is_shown() -> None:
    found = suite_score({name: SCORES[name] for name in "abcd"}, WEIGHTS)
    assert found.failed == ("e",)
    assert found.vector["e"] == FAILED
    assert found.worst[0] == ("e", FAILED)


def test_few_families_or_one_seed_have_no_middle() -> None:
    three = {name: SCORES[name] for name in "abc"}
    assert suite_score(three, dict.fromkeys("abc", 1.0)).middle is None
    assert suite_score({name: [0.5] for name in WEIGHTS}, WEIGHTS).middle is None


def test_what_makes_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match="families of the suite, got x"):
        suite_score({"x": [0.1]}, WEIGHTS)
    with pytest.raises(ValueError, match="weights above 0"):
        suite_score({}, {"a": 0.0})
    with pytest.raises(ValueError, match="finite"):
        suite_score({"a": [float("nan")]}, {"a": 1.0})
