"""Our figures against those that our peers' own code gave (`tools/oracles.py` asked them)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cambrian.evaluators import metrics
from cambrian.evaluators.metrics import Block
from cambrian.evaluators.statistics import (
    interquartile_mean,
    optimality_gap,
    probability_of_improvement,
    probability_of_improvement_interval,
    stratified_interval,
)

ORACLES = Path(__file__).parent / "oracles"


def oracle(name: str) -> Any:
    return json.loads((ORACLES / f"{name}.json").read_text(encoding="utf-8"))


AVALANCHE, RLIABLE, L2METRICS = map(oracle, ("avalanche", "rliable", "l2metrics"))


@pytest.mark.parametrize("case", AVALANCHE["cases"])
def test_transfer_is_what_avalanche_measures(case: dict[str, Any]) -> None:
    matrix = np.array(case["matrix"])
    assert metrics.backward_transfer(matrix) == pytest.approx(case["backward_transfer"])
    found = metrics.forward_transfer(matrix, case["untrained"])
    assert found == pytest.approx(case["forward_transfer"])


def test_what_avalanche_calls_forgetting_is_backward_transfer_turned_round() -> None:
    """First minus last, where Chaudhry's is best minus last: another figure, another name."""
    theirs = [case["their_forgetting"] for case in AVALANCHE["cases"]]
    matrices = [np.array(case["matrix"]) for case in AVALANCHE["cases"]]
    assert theirs == pytest.approx([-metrics.backward_transfer(m) for m in matrices])
    ours = [metrics.forgetting(m) for m in matrices]
    assert all(a >= b - 1e-12 for a, b in zip(ours, theirs, strict=True))
    assert ours != pytest.approx(theirs)


@pytest.mark.parametrize("case", RLIABLE["cases"])
def test_figures_over_benchmarks_are_those_of_rliable(case: dict[str, Any]) -> None:
    one, other = case["one"], case["other"]
    assert interquartile_mean(one) == pytest.approx(case["interquartile_mean"])
    assert optimality_gap(one) == pytest.approx(case["optimality_gap"])
    found = probability_of_improvement(one, other)
    assert found == pytest.approx(case["probability_of_improvement"])


@pytest.mark.parametrize("case", RLIABLE["cases"])
def test_intervals_are_those_of_rliable_but_for_chance(case: dict[str, Any]) -> None:
    one, other = case["one"], case["other"]
    found = stratified_interval(one, resamples=4000)
    expected = case["interquartile_mean_interval"]
    width = expected[1] - expected[0]
    assert [found.lower, found.upper] == pytest.approx(expected, abs=0.05 * width)
    found = probability_of_improvement_interval(one, other, resamples=4000)
    expected = case["probability_of_improvement_interval"]
    width = expected[1] - expected[0]
    assert [found.lower, found.upper] == pytest.approx(expected, abs=0.06 * width)


@pytest.fixture(scope="module")
def lifelong() -> tuple[list[Block], dict[str, list[np.ndarray]]]:
    log = [Block(kind, task, np.array(values)) for kind, task, values in L2METRICS["log"]]
    experts = {t: [np.array(run) for run in runs] for t, runs in L2METRICS["experts"].items()}
    return metrics.normalised(log, experts)


def test_lifelong_metrics_are_those_of_l2metrics_on_its_own_example(
    lifelong: tuple[list[Block], dict[str, list[np.ndarray]]],
) -> None:
    log, experts = lifelong
    expected = L2METRICS
    maintenance = metrics.performance_maintenance(log)
    assert maintenance == pytest.approx(expected["performance_maintenance"])
    assert metrics.performance_recovery(log) == pytest.approx(expected["performance_recovery"])
    relative = metrics.relative_performance(log, experts)
    assert relative == pytest.approx(expected["relative_performance"])
    efficiency = metrics.sample_efficiency(log, experts)
    assert efficiency == pytest.approx(expected["sample_efficiency"])


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_transfers_are_those_of_l2metrics_where_it_loses_none(
    lifelong: tuple[list[Block], dict[str, list[np.ndarray]]], direction: str
) -> None:
    """Its example trains one task between two tests, so none overwrites another."""
    log, _ = lifelong
    found = getattr(metrics, f"{direction}_transfers")(log)
    ours = sorted((t.source, t.target, t.ratio, t.contrast) for t in found)
    theirs = sorted(map(tuple, L2METRICS[f"{direction}_transfers"]))
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    assert np.array([row[2:] for row in ours]) == pytest.approx(
        np.array([row[2:] for row in theirs])
    )


def test_every_oracle_says_where_its_figures_come_from() -> None:
    for found in (AVALANCHE, RLIABLE, L2METRICS):
        assert found["source"]
        program = Path(__file__).parents[2] / "benchmarks/peers" / found["program"]
        assert program.exists()
