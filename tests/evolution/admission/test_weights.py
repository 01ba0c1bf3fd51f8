"""The weights of a suite: in scores, in gates, in the mean that sends a variant away."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evolution.running import settings

from cambrian.archive import Archive
from cambrian.archive.transfer.check import check
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.admission.records import results_of
from cambrian.evolution.admission.results import SEARCH_SEEDS, Result, Results
from cambrian.suite import Entry, Suite
from cambrian.testing.instant_run import grow

NAMES = ("split-mnist", "digit-sums", "label-drift")
WEIGHTS = {"split-mnist": 3.0, "digit-sums": 1.0, "label-drift": 1.0}


def test_a_mean_over_benchmarks_is_weighted() -> None:
    rows = [Result(name, 0, score, {}, 1) for name, score in zip(NAMES, (1, 0, 0), strict=True)]
    assert Results(rows, WEIGHTS).per_seed(NAMES, [0]) == [pytest.approx(0.6)]
    assert Results(rows).per_seed(NAMES, [0]) == [pytest.approx(1 / 3)]
    assert Results(rows, WEIGHTS).per_seed(NAMES[1:], [0]) == [0.0]
    assert Results(rows, WEIGHTS).shares(NAMES[::-1]) == pytest.approx([0.2, 0.2, 0.6])


def test_a_run_in_a_weighted_suite_scores_and_is_checked_by_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    entries = tuple(Entry(name, benchmark(name).version, WEIGHTS[name]) for name in NAMES)
    grow(path, settings(proposals=8, benchmarks=NAMES), suite=Suite("weighted", entries))
    with Archive.open(path, read_only=True) as archive:
        assert check(archive) == []
        members = archive.members()
        assert any(archive.agents.get(m.agent_id).status == "admitted" for m in members)
        for member in members:
            results = results_of(archive, member.agent_id)
            vector = results.vector(NAMES, SEARCH_SEEDS)
            expected = sum(WEIGHTS[name] * mean for name, mean in vector.items()) / 5
            assert member.score == pytest.approx(expected)
