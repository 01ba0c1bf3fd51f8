"""Fronts and the area that they cover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.evaluators import metrics

COSTS = [1.0, 2.0, 2.0, 3.0, 4.0]
ERRORS = [0.8, 0.5, 0.6, 0.5, 0.1]


def test_a_front_holds_what_none_dominates_cheapest_first() -> None:
    assert metrics.pareto_front(COSTS, ERRORS).tolist() == [0, 1, 4]


def test_of_equal_points_the_first_is_on_the_front() -> None:
    assert metrics.pareto_front([1, 1], [0.5, 0.5]).tolist() == [0]


def test_hypervolume_is_the_area_of_the_staircase() -> None:
    expected = (2 - 1) * (1 - 0.8) + (4 - 2) * (1 - 0.5) + (5 - 4) * (1 - 0.1)
    assert metrics.hypervolume(COSTS, ERRORS, (5.0, 1.0)) == pytest.approx(expected)


def test_points_beyond_the_reference_cover_nothing() -> None:
    assert metrics.hypervolume([6.0, 1.0], [0.0, 1.5], (5.0, 1.0)) == 0.0
    assert metrics.hypervolume([], [], (5.0, 1.0)) == 0.0


def test_flops_are_taken_by_their_decades() -> None:
    found = metrics.front_hypervolume([1e6, 1e8], [0.5, 0.25], (1e9, 1.0))
    assert found == pytest.approx(2 * 0.5 + 1 * 0.75)
    with pytest.raises(ValueError, match="positive"):
        metrics.front_hypervolume([0], [0.5], (1e9, 1.0))


points = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=12)


@given(points)
def test_every_point_is_on_the_front_or_dominated_by_it(found: list[tuple[int, int]]) -> None:
    costs, errors = zip(*found, strict=True)
    front = metrics.pareto_front(costs, errors)
    members = [found[i] for i in front]
    assert not any(metrics.dominates(a, b) for a in members for b in members)
    for point in found:
        assert point in members or any(metrics.dominates(m, point) for m in members)


@given(points)
def test_hypervolume_agrees_with_counting_cells(found: list[tuple[int, int]]) -> None:
    costs, errors = zip(*found, strict=True)
    cells = sum(any(c <= x and e <= y for c, e in found) for x in range(20) for y in range(10))
    assert metrics.hypervolume(costs, errors, (20, 10)) == pytest.approx(cells)


@given(points, st.tuples(st.integers(0, 20), st.integers(0, 10)))
def test_another_learner_never_makes_the_area_smaller(
    found: list[tuple[int, int]], one: tuple[int, int]
) -> None:
    costs, errors = zip(*found, strict=True)
    before = metrics.hypervolume(costs, errors, (21, 11))
    after = metrics.hypervolume([*costs, one[0]], [*errors, one[1]], (21, 11))
    assert after >= before - 1e-9
