"""The strategies that look at score vectors, at islands or at no archive draw as they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, chi2
from tests.evolution.selection.grove import Grove, chi_squared, frequencies

from cambrian.archive import Archive
from cambrian.evolution.changing import differences
from cambrian.evolution.selection.selection import Selection
from cambrian.evolution.selection.strategies.clade import best_belief
from cambrian.evolution.selection.strategies.islands import ISLANDS, MIGRATION
from cambrian.evolution.selection.strategies.lexicase import deviations, leading
from cambrian.evolution.selection.strategies.novelty import NEIGHBOURS
from cambrian.evolution.selection.strategies.pareto import front
from cambrian.evolution.settings import Settings

STREAMS = {"drift": "1", "few": "1"}
DRAWS = 3000
VECTORS = ((0.1, 0.1), (0.9, 0.2), (0.5, 0.5), (0.2, 0.9), (0.49, 0.5), (0.9, 0.1), (0.3, 0.8))


class Wide(Grove):
    """A grove whose agents have a score on each of two streams."""

    def vector(self, *scores: float, parent: int | None = None) -> int:
        """Add a seed, or a child, with this vector."""
        mean = float(np.mean(scores))
        self._next: Sequence[float] = scores
        if parent is None:
            return self.seed(mean, trials=2)
        return self.child(parent, score=mean, trials=2)

    def evaluate(self, agent_id: str, score: float, trials: int, stream: str = "b") -> None:
        for name, one in zip(STREAMS, self._next, strict=True):
            super().evaluate(agent_id, one, trials, name)


@pytest.fixture
def wide(tmp_path: Path) -> Wide:
    grove = Wide(Archive.create(tmp_path / "home"))
    for at, scores in enumerate(VECTORS):
        grove.vector(*scores, parent=None if at == 0 else 0)
    return grove


def fits(found: dict[int, float], expected: dict[int, float], draws: int = DRAWS) -> bool:
    """Whether shares are as expected, at one in 100,000 (seeds are fixed all the same)."""
    assert set(found) <= {at for at, p in expected.items() if p > 0}
    positive = {at: p for at, p in expected.items() if p > 0}
    if len(positive) == 1:
        return True
    limit = float(chi2.isf(1e-5, len(positive) - 1))
    return chi_squared(found, positive, draws) < limit


def test_pareto_draws_the_front_alike(wide: Wide) -> None:
    found = frequencies(wide, "pareto", DRAWS, streams=STREAMS)
    assert fits(found, dict.fromkeys((1, 2, 3, 6), 0.25))
    wide.vector(0.95, 0.95, parent=1)
    assert frequencies(wide, "pareto", 20, streams=STREAMS) == {7: 1.0}
    # One alone on the front: the best mean score comes second.
    assert set(frequencies(wide, "pareto", 20, count=2, streams=STREAMS)) == {7, 1}


@given(st.lists(st.tuples(*[st.sampled_from([0.1, 0.2, 0.3, 0.7])] * 3), min_size=1, max_size=40))
def test_a_front_is_who_is_dominated_by_nobody(rows: list[tuple[float, ...]]) -> None:
    def beaten(one: tuple[float, ...]) -> bool:
        return any(
            all(a >= b for a, b in zip(other, one, strict=True)) and other != one for other in rows
        )

    assert front(np.array(rows)) == [at for at, row in enumerate(rows) if not beaten(row)]


def _lexicase(order: Sequence[int], rows: np.ndarray) -> list[int]:
    """Who is left after the streams in this order, over plain lists."""
    middles = [float(np.median(rows[:, j])) for j in range(rows.shape[1])]
    epsilon = [float(np.median(np.abs(rows[:, j] - m))) for j, m in enumerate(middles)]
    pool = list(range(len(rows)))
    for j in order:
        best = max(rows[at, j] for at in pool)
        pool = [at for at in pool if rows[at, j] >= best - epsilon[j]]
    return pool


def test_lexicase_draws_who_is_left_after_the_streams_in_any_order(wide: Wide) -> None:
    rows = np.array(VECTORS)
    expected = dict.fromkeys(range(len(rows)), 0.0)
    for order in ((0, 1), (1, 0)):
        left = _lexicase(order, rows)
        for at in left:
            expected[at] += 0.5 / len(left)
    assert 0 < sum(p > 0 for p in expected.values()) < len(rows)
    assert fits(frequencies(wide, "lexicase", DRAWS, streams=STREAMS), expected)


def test_deviations_are_medians_of_distances_to_the_median() -> None:
    rows = np.array([[0.0, 1.0], [1.0, 1.0], [5.0, 1.0], [2.0, 9.0]])
    assert deviations(rows).tolist() == [1.0, 0.0]
    assert [leading(n) for n in (1, 511, 512, 513, 1023, 1025)] == [1, 511, 512, 512, 1022, 1024]


def test_novelty_draws_by_the_distance_to_the_nearest(wide: Wide) -> None:
    rows = np.array(VECTORS)
    distances = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
    rarity = np.sort(distances, axis=1)[:, 1 : NEIGHBOURS + 1].mean(axis=1)
    expected = dict(enumerate((rarity / rarity.sum()).tolist()))
    assert fits(frequencies(wide, "novelty", DRAWS, streams=STREAMS), expected)


def test_last_draws_the_newest_and_random_only_seeds(wide: Wide) -> None:
    assert frequencies(wide, "last", 20, streams=STREAMS) == {6: 1.0}
    assert frequencies(wide, "random", 20) == {0: 1.0}
    second = wide.vector(0.4, 0.4)
    assert fits(frequencies(wide, "random", DRAWS), {0: 0.5, second: 0.5})


ROWS = st.lists(
    st.tuples(*[st.sampled_from([0.0, 0.1, 0.35, 0.5, 0.8])] * 2), min_size=1, max_size=16
)


@settings(max_examples=6, deadline=None)
@given(rows=ROWS)
@pytest.mark.parametrize("name", ["pareto", "lexicase", "novelty"])
def test_what_grew_with_the_archive_draws_as_what_is_loaded(
    name: str, rows: list[tuple[float, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Archive.create(tmp_path_factory.mktemp("grove") / "home") as archive:
        grove = Wide(archive)
        grove.vector(0.2, 0.3)
        growing = Selection(archive, name, STREAMS)
        for at, row in enumerate(rows):
            grove.vector(*row, parent=at)
            drawn = [
                [one.agent_id for one in each.draw(at, 2, np.random.default_rng(at))]
                for each in (growing, Selection(archive, name, STREAMS))
            ]
            assert drawn[0] == drawn[1]


def test_islands_breed_apart_and_exchange_their_best(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "home") as archive:
        grove = Grove(archive)
        grove.seed(0.3, trials=0)
        home: dict[int, set[int]] = {island: {0} for island in range(ISLANDS)}
        for k in range(MIGRATION):
            home[k % ISLANDS].add(grove.child(k, score=0.4 + 0.01 * (k // ISLANDS), trials=0))
        assert _homes(grove) == home
        best = {island: max(home[island]) for island in home}
        grove.child(0, score=0.2, trials=0)  # proposal 40, island 0's
        for island in home:
            home[(island + 1) % ISLANDS].add(best[island])
        home[0].add(len(grove.ids) - 1)
        assert _homes(grove) == home


def _homes(grove: Grove) -> dict[int, set[int]]:
    """Who is drawn for proposals of each island."""
    selection, rng = Selection(grove.archive, "islands"), np.random.default_rng(0)
    found: dict[int, set[int]] = {island: set() for island in range(ISLANDS)}
    for k in range(ISLANDS * 400):
        (one,) = selection.draw(None, 1, rng, index=k)
        found[k % ISLANDS].add(grove.ids.index(one.agent_id))
    return found


def test_on_an_island_draws_are_as_by_dgm(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "home") as archive:
        grove = Grove(archive)
        for score in (0.3, 0.5, 0.7):
            grove.seed(score, trials=0)
        grove.child(0, score=0.45, trials=0)
        selection, rng = Selection(archive, "islands"), np.random.default_rng(2)
        drawn = Counter(selection.draw(None, 1, rng, index=0)[0].agent_id for _ in range(DRAWS))
        found = {grove.ids.index(one): n / DRAWS for one, n in drawn.items()}
        expected = frequencies(grove, "dgm", 20_000)
        assert fits(found, expected)


def test_the_best_belief_is_in_much_evidence_rather_than_in_a_lucky_try(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "home") as archive:
        grove = Grove(archive)
        lucky, sure = grove.seed(1.0, trials=1), grove.seed(0.8, trials=30)
        grove.seed(0.3, trials=60)
        selection = Selection(archive, "clade")
        selection.draw(None, 1, np.random.default_rng(0))
        members = selection._members
        quantiles = [beta.ppf(0.01, 1 + w, 1 + n - w) for w, n in ((1, 1), (24, 30), (18, 60))]
        assert best_belief(members) == int(np.argmax(quantiles)) == sure != lucky


def test_a_control_of_an_older_cambrian_goes_on_as_the_strategy_random() -> None:
    now = Settings(judged=3, selection="random")
    before = {**now.to_json(), "selection": "uniform", "random_control": True}
    assert differences(before, now) == []
    assert differences({**before, "random_control": False}, now)
