"""A run that finds nothing is called flat, one that climbs is called rising, at stated rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.evolution.running import run_with

from cambrian.archive import Archive
from cambrian.evolution import plateau as plateaus
from cambrian.evolution.plateau import (
    ALPHA,
    EXHAUSTED,
    WINDOW,
    largest_gain,
    look,
    plateau,
)
from cambrian.testing.workers import InstantWorker

SEEDS = 5
NOISE = 0.02


def _called_rising(rng: np.random.Generator, climbs: float, trials: int) -> float:
    """How often a window is called rising. The champion before it is the best of 60 by what was
    measured, and each variant of the window is truly better than it by up to `climbs`."""
    rising = 0
    for _ in range(trials):
        shared = 0.03 * rng.standard_normal(SEEDS)
        before = shared + NOISE * rng.standard_normal((60, SEEDS)) / np.sqrt(2)
        champion = before[before.mean(axis=1).argmax()]
        truth = np.linspace(0, climbs, WINDOW)[:, None]
        window = truth + shared + NOISE * rng.standard_normal((WINDOW, SEEDS)) / np.sqrt(2)
        rising += largest_gain(window - champion, WINDOW)[1]
    return rising / trials


def test_a_window_without_a_gain_is_called_rising_at_most_at_the_stated_rate() -> None:
    assert _called_rising(np.random.default_rng(1), 0.0, 3000) <= ALPHA


def test_a_run_that_climbs_is_seen_to_climb() -> None:
    """By five standard deviations of a difference over a window; one deviation is mostly missed."""
    assert _called_rising(np.random.default_rng(2), 5 * NOISE, 400) > 0.9
    assert _called_rising(np.random.default_rng(2), 1 * NOISE, 400) < 0.5


def test_a_gain_has_bounds_and_equal_twins_have_none() -> None:
    gain, shown = largest_gain(np.array([[0.1, 0.11, 0.09, 0.1, 0.1], [0.0] * 5]), 2)
    assert shown
    assert gain is not None
    assert gain[1] < gain[0] < gain[2]
    assert gain[0] == pytest.approx(0.1)
    assert largest_gain(np.zeros((3, 5)), 3)[1] is False
    assert largest_gain(np.zeros((0, 5)), 3) == (None, False)


def test_a_run_goes_from_rising_to_flat_to_exhausted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instant landscape has a top: five parts."""
    monkeypatch.setattr(plateaus, "WINDOW", 4)
    run_with(tmp_path / "home", InstantWorker, proposals=60)
    with Archive.open(tmp_path / "home") as archive:
        run = archive.runs.last()
        assert run is not None
        states = [plateau(archive, run, through) for through in range(60)]
        assert states[2] == "rising"
        found = look(archive, run)
        assert found.state == states[-1] == "exhausted"
        assert found.judged == 4 * EXHAUSTED
        assert any("--rewriter model" in one for one in found.advice)
        assert {"rising", "flat"} <= set(states)
