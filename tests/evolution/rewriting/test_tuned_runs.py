"""A run in which optimisers have their say is the same with any number of workers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.evolution.running import settings

from cambrian.archive import Archive
from cambrian.evolution.rewriting.knob_credit import KnobCredit
from cambrian.evolution.rewriting.optimisers import GENERATION
from cambrian.testing.instant_run import grow, picture

PROPOSALS = 32


@pytest.mark.slow
def test_one_and_four_workers_tune_alike_where_an_optimiser_was_asked(tmp_path: Path) -> None:
    paths = {}
    for workers in (1, 4):
        paths[workers] = tmp_path / str(workers)
        given = settings(proposals=PROPOSALS, selection="greedy", workers=workers)
        grow(paths[workers], given, jitter_s=0.01 * (workers - 1))
    assert picture(paths[1]) == picture(paths[4])
    with Archive.open(paths[1], read_only=True) as archive:
        rows = archive.database.rows("SELECT operation FROM proposals WHERE operation IS NOT NULL")
        told = Counter(json.loads(row["operation"])["made"]["structure"] for row in rows)
        assert max(told.values()) > GENERATION
        credit = KnobCredit(archive)
        spoken = [
            credit.learned(one.parents[0], one.seen_through, 0, True).points
            for one in archive.proposals.select()
        ]
    assert any(spoken)


def test_tuning_at_random_makes_another_tree(tmp_path: Path) -> None:
    for tuning in ("cmaes", "random"):
        grow(tmp_path / tuning, settings(tuning=tuning, proposals=10))
    assert picture(tmp_path / "cmaes") != picture(tmp_path / "random")
