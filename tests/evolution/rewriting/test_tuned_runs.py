"""Runs with tuning by optimisers, and a bandit over kinds of operation."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evolution.running import settings

from cambrian.testing.instant_run import grow, picture


@pytest.mark.slow
def test_one_and_four_workers_make_the_same_tree_where_only_the_best_is_a_parent(
    tmp_path: Path,
) -> None:
    for workers in (1, 4):
        given = settings(proposals=32, selection="greedy", workers=workers)
        grow(tmp_path / str(workers), given, jitter_s=0.01 * (workers - 1))
    assert picture(tmp_path / "1") == picture(tmp_path / "4")


def test_tuning_at_random_makes_another_tree(tmp_path: Path) -> None:
    for tuning in ("cmaes", "random"):
        grow(tmp_path / tuning, settings(tuning=tuning, proposals=10))
    assert picture(tmp_path / "cmaes") != picture(tmp_path / "random")
