"""The verdict: plain where a usual choice is better, and careful where nothing is shown."""

from __future__ import annotations

import pytest

from cambrian.solving.judging import Figure
from cambrian.solving.outcome import Contender, of_baselines, verdict


def one(name: str, *scores: float) -> Contender:
    return Contender(name, name, "x", dict(enumerate(scores)), 0.1)


LOW = one("a guess", 0.5, 0.5, 0.5, 0.5, 0.5)
HIGH = one("logistic regression", 0.90, 0.91, 0.90, 0.91, 0.90)


def test_a_usual_choice_that_is_better_is_to_be_used() -> None:
    found = verdict(one("champion", 0.87, 0.88, 0.87, 0.88, 0.87), [LOW, HIGH], 0.001)
    assert found.winner == "baseline" and found.baseline == "logistic regression"
    assert found.difference is not None and found.difference.mean == pytest.approx(-0.03)
    assert found.text == (
        "Logistic regression is better than the champion by 0.030 [0.030, 0.030]: use that."
    )


def test_a_champion_that_is_better_is_said_to_be() -> None:
    found = verdict(one("champion", 0.95, 0.97, 0.95, 0.96, 0.97), [HIGH, LOW], 0.001)
    assert found.winner == "champion"
    assert found.text.startswith("The champion is better than the best usual choice, logistic reg")


@pytest.mark.parametrize(
    ("scores", "one_row", "said"),
    [
        ((0.99, 0.83, 0.95, 0.86, 0.93), 0.001, "cannot be told apart"),
        ((0.905, 0.915, 0.905, 0.915, 0.905), 0.01, "differ by less than a row"),
    ],
)
def test_what_is_not_shown_or_less_than_a_row_is_level(
    scores: tuple[float, ...], one_row: float, said: str
) -> None:
    found = verdict(one("champion", *scores), [HIGH], one_row)
    assert found.winner == "level"
    assert said in found.text and "use logistic regression" in found.text


def test_one_seed_shows_nothing() -> None:
    found = verdict(one("champion", 0.99), [one("tree", 0.5)], 0.001)
    assert found.winner == "level" and "[" not in found.text


def test_seeds_that_only_one_has_are_not_compared() -> None:
    part = Contender("tree", "tree", "river", {3: 0.9, 4: 0.9}, 1.0, "out of time")
    found = verdict(one("champion", 0.1, 0.1, 0.1, 0.8, 0.8), [part], 0.0)
    assert found.difference is not None and found.difference.seeds == 2
    assert found.difference.mean == pytest.approx(-0.1)


def test_a_usual_choice_without_a_score_is_named_beside_the_verdict() -> None:
    late = Contender("boosting", "gradient boosting", "scikit-learn", {}, None, "out of time")
    found = verdict(one("champion", 0.95, 0.97, 0.95, 0.96, 0.97), [HIGH, late], 0.001)
    assert found.winner == "champion"
    assert found.text.endswith("and so not compared: gradient boosting (out of time).")


def test_without_a_champion_nobody_wins() -> None:
    assert verdict(None, [LOW, HIGH], 0.0).winner == "nobody"
    assert verdict(HIGH, [], 0.0).winner == "nobody"


def test_every_usual_choice_has_a_row_whatever_became_of_it() -> None:
    figures = [
        Figure("sgd", 0, 0.7, 1.0),
        Figure("sgd", 1, None, 2.0, "out of time"),
        Figure("hoeffding-tree", 0, None, 0.0, "not installed: pip install 'river'"),
    ]
    found = {row.name: row for row in of_baselines(figures, False)}
    assert len(found) == 7
    assert found["sgd"].by_seed == {0: 0.7} and found["sgd"].reason == "out of time"
    assert found["hoeffding-tree"].estimate is None
    assert "pip install 'river'" in found["hoeffding-tree"].reason
    assert found["boosting"].reason == "not judged yet"
