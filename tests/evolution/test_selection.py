"""Selection strategies draw what their formula says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.errors import UsageError
from cambrian.evolution.selection import Candidate, dgm, select, strategy, uniform

members = st.lists(st.tuples(st.floats(-1, 2), st.integers(0, 50)), min_size=1, max_size=30).map(
    lambda rows: [Candidate(f"{i:04}", score, n) for i, (score, n) in enumerate(rows)]
)


def test_dgm_weighs_as_in_the_paper() -> None:
    weights = dgm([Candidate("a", 0.2, 0), Candidate("b", 0.5, 0), Candidate("c", 0.5, 3)])
    assert weights == pytest.approx([0.0474, 0.5, 0.125], abs=1e-4)


def test_dgm_prefers_better_agents_and_those_with_fewer_children() -> None:
    better, crowded = dgm([Candidate("a", 0.6, 0), Candidate("b", 0.6, 1)])
    worse = dgm([Candidate("c", 0.4, 0)])[0]
    assert better > crowded
    assert better > worse


def test_draws_follow_the_weights() -> None:
    group = [Candidate("a", 0.3, 0), Candidate("b", 0.7, 0)]
    rng = np.random.default_rng(1)
    drawn = [select(group, dgm, 1, rng)[0] for _ in range(4000)]
    expected = float(dgm(group)[1] / dgm(group).sum())
    assert drawn.count("b") / 4000 == pytest.approx(expected, abs=0.02)


def test_uniform_draws_everyone_alike() -> None:
    group = [Candidate(str(i), float(i), i) for i in range(4)]
    rng = np.random.default_rng(2)
    drawn = [select(group, uniform, 1, rng)[0] for _ in range(4000)]
    assert all(drawn.count(str(i)) == pytest.approx(1000, abs=120) for i in range(4))


@given(members, st.integers(0, 2**32))
def test_the_same_generator_draws_the_same_parents(group: list[Candidate], seed: int) -> None:
    one, other = (select(group, dgm, 2, np.random.default_rng(seed)) for _ in range(2))
    assert one == other
    assert len(set(one)) == len(one) == min(2, len(group))


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"best-first.*dgm, uniform"):
        strategy("best-first")


def test_no_members_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        select([], dgm, 1, np.random.default_rng(0))
