"""The screening figure, where the truth is known: its interval covers it, luck is taken out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.errors import UsageError
from cambrian.evaluators.suites import suite
from cambrian.evolution.settings import Settings
from cambrian.experiments.screening import Pilot, largest, markdown, noise_of, pilot_of, screen
from cambrian.testing.workers import InstantWorker

SPREAD, REPEATS = 0.1, 300
Draw = Callable[[np.random.Generator, int], "np.ndarray"]


def normal(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.normal(0, SPREAD, count)


def often_harmful(rng: np.random.Generator, count: int) -> np.ndarray:
    """Two fifths break something; the better half is still like a normal one."""
    bad = rng.uniform(-1, -0.3, count)
    return np.where(rng.random(count) < 0.4, bad, np.abs(rng.normal(0, SPREAD, count)) - SPREAD)


@pytest.mark.parametrize(
    ("draw", "noise", "early", "least"),
    [
        pytest.param(normal, 0.0, 0, 0.9, id="normal"),
        pytest.param(normal, 0.05, 0, 0.82, id="with luck"),
        pytest.param(normal, 0.0, 6, 0.9, id="some left early"),
        pytest.param(often_harmful, 0.0, 8, 0.9, id="often harmful"),
    ],
)
@pytest.mark.parametrize("n", [25, 500])
def test_the_interval_covers_what_sampling_gives(
    draw: Draw, noise: float, early: int, least: float, n: int
) -> None:
    rng = np.random.default_rng(7)
    kept = []
    for _ in range(2000):  # the truth: of n, the one that looks best
        real = draw(rng, n)
        kept.append(real[(real + rng.normal(0, noise, n)).argmax()])
    truth, covered, errors = float(np.mean(kept)), 0, []
    for _ in range(REPEATS):
        seen = np.sort(draw(rng, 20) + rng.normal(0, noise, 20))[::-1]
        pilot = Pilot(tuple(seen[: 20 - early]), early, noise**2, start=-10.0)
        (found,) = screen(pilot, at=(n,)).expected
        covered += found.lower <= truth + 10 <= found.upper
        errors.append(found.gain - 10 - truth)
    assert covered / REPEATS >= least
    assert abs(np.mean(errors)) < 0.15 * SPREAD


def test_luck_with_the_seeds_is_no_gain() -> None:
    rng = np.random.default_rng(3)
    table = 0.5 + rng.normal(0, 0.1, (40, 5)) + rng.normal(0, 0.3, 5)
    assert noise_of(table) == pytest.approx(0.01 / 5, rel=0.35)
    scores = tuple(table.mean(axis=1))
    believed = screen(Pilot(scores, 0, 0.0, 0.5), at=(500,)).expected[0].gain
    known = screen(Pilot(scores, 0, noise_of(table), 0.5), at=(500,)).expected[0].gain
    assert known < 0.6 * believed


def test_the_share_is_of_what_is_left() -> None:
    pilot = Pilot(tuple(np.linspace(0.3, 0.6, 20)), 0, 0.0, start=0.5)
    low, high = (screen(pilot, ceiling, (100,)).expected[0] for ceiling in (1.0, 0.75))
    assert low.gain == high.gain > 0
    assert low.share == pytest.approx(low.gain / 0.5)
    assert high.share == pytest.approx(2 * low.gain / 0.5)
    assert screen(pilot, 0.5, (100,)).expected[0].share is None
    assert "This assumes that" in markdown(screen(pilot))


def test_the_largest_of_some_normal_numbers() -> None:
    assert largest(1) == pytest.approx(0, abs=1e-6)
    assert largest(2) == pytest.approx(1 / np.sqrt(np.pi), abs=1e-6)
    assert largest(100) == pytest.approx(2.5076, abs=1e-3)


def test_a_pilot_is_the_first_variants_of_seed_agents(tmp_path: Path) -> None:
    settings = Settings(
        judged=9,
        selection="random",
        suite="continual",
        benchmarks=suite("continual").benchmarks,
        sandbox="none",
    )
    options = Options(make_worker=InstantWorker)
    supervisor.run(tmp_path / "a", settings, lambda _: None, options=options)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        pilot = pilot_of(archive, 8)
        assert pilot.judged == 8 and pilot.proposals >= 8
        assert pilot.start == max(seed.score or 0 for seed in archive.agents.seeds())
        known = {agent.score for agent in archive.agents.select(everyone=True)}
        assert all(any(abs(one - (its or 9)) < 1e-9 for its in known) for one in pilot.scores)
        assert 0 < pilot.noise < 0.02**2


def test_too_small_a_pilot_says_how_to_make_one(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a") as archive, pytest.raises(UsageError, match="judged 20"):
        pilot_of(archive)
