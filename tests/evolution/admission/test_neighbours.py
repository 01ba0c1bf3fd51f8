"""The novelty gate's index answers as a comparison with every member would, however big it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.archive import Archive
from cambrian.evolution.admission.descriptors import Descriptors, measure
from cambrian.evolution.admission.neighbours import Neighbours
from cambrian.evolution.admission.records import results_of
from cambrian.evolution.admission.results import SEARCH_SEEDS
from cambrian.evolution.settings import Settings
from cambrian.testing.instant_run import BENCHMARKS, grow

Array = np.ndarray[Any, np.dtype[np.float64]]


def by_comparing_with_all(points: Array, point: Array, noise: Array, count: int) -> Array:
    distances = np.sqrt((((points - point) / noise) ** 2).mean(axis=1))
    return np.sort(distances)[:count]


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    first=st.integers(0, 400),
    later=st.integers(1, 400),
    lattice=st.booleans(),
)
def test_the_nearest_are_those_of_a_full_comparison_to_the_last_bit(
    seed: int, first: int, later: int, lattice: bool
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.random((first + later, 4))
    if lattice:  # many that are equal, or equally far
        points = np.round(points * 3) / 3
    index = Neighbours(points[:first], block=8, first=1, newcomers=16)
    for point in points[first:]:
        index.add(point)
    assert len(index) == len(points)
    for _ in range(5):
        point, noise = rng.random(4), rng.uniform(0.02, 2.0, 4)
        expected = by_comparing_with_all(points, point, noise, 3)
        assert index.nearest(point, noise, 3).tolist() == expected.tolist()


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "archive"
    grow(path, Settings(seed=4, proposals=20, workers=2, benchmarks=BENCHMARKS))
    return path


def test_the_gate_recorded_what_a_comparison_with_every_member_gives(grown: Path) -> None:
    """Each novelty value of a run, again, from the evaluations of the members of that time."""
    with Archive.open(grown, read_only=True) as archive:
        rows = archive.database.rows(
            "SELECT p.idx, p.agent_id, g.value FROM gates g JOIN proposals p "
            "ON p.id = g.proposal_id WHERE g.gate = 'novelty' ORDER BY p.idx"
        )
        assert len(rows) > 5
        for row in rows:
            members = archive.members(row["idx"] - 1)
            others = np.array([_behaviour(archive, m.agent_id).mean(axis=0) for m in members])
            mine = _behaviour(archive, row["agent_id"])
            noise = np.maximum(mine.std(axis=0, ddof=1), [0.02] * (mine.shape[1] - 1) + [0.5])
            nearest = by_comparing_with_all(others, mine.mean(axis=0), noise, 3)
            assert row["value"] == float(nearest.mean())


def test_behaviours_that_are_lost_are_made_anew_from_the_evaluations(grown: Path) -> None:
    what = measure(BENCHMARKS, SEARCH_SEEDS)
    with Archive.open(grown) as archive:
        numbers, kept = archive.nodes.behaviours(what)
        assert len(numbers) > 4
        with archive.transaction():
            archive.database.execute("DELETE FROM behaviours WHERE number % 2")
        again = Descriptors(archive, BENCHMARKS, lambda who: results_of(archive, who))
        assert len(again.neighbours()) == len(archive.members())
        known, anew = archive.nodes.behaviours(what)
        assert anew[: len(kept)].tolist() == kept.tolist()
        assert known == [member.number for member in archive.members()]


def _behaviour(archive: Archive, agent_id: str) -> Array:
    return results_of(archive, agent_id).behaviour(BENCHMARKS, SEARCH_SEEDS)
