"""No family may carry the score of a suite."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.evaluators.statistics.weights import SHARE, capped_weights


def test_one_loud_family_is_brought_down_to_its_share() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(40, 6)) * np.array([0.1, 0.1, 0.1, 0.1, 0.1, 2.0])
    weights = capped_weights(scores)
    moved = weights * scores.std(0, ddof=1)
    assert np.all(weights[:5] == 1)
    assert moved[5] == pytest.approx(SHARE * np.median(scores.std(0, ddof=1)))
    before = scores[:, 5].var() / scores.var(0).sum()
    after = (weights[5] * scores[:, 5]).var() / (weights * scores).var(0).sum()
    assert before > 0.95
    assert after < 0.5


def test_families_that_tell_as_much_apart_count_alike_and_a_dead_one_does_no_harm() -> None:
    scores = np.array([[0.0, 0.1, 0.5], [0.2, 0.3, 0.5], [0.4, 0.5, 0.5]])
    assert capped_weights(scores).tolist() == [1, 1, 1]


@pytest.mark.parametrize("scores", [[[0.1, 0.2]], [0.1, 0.2], [[np.nan, 1], [1, 1]]])
def test_a_table_that_says_nothing_is_refused(scores: object) -> None:
    with pytest.raises(ValueError, match="expected finite scores"):
        capped_weights(scores)  # type: ignore[arg-type]
