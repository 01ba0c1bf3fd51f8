"""Seed agents that fail: noticed, shown, and in nobody's way."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.cli.tree import label
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.errors import CambrianError
from cambrian.evolution import sealing
from cambrian.evolution.runtime import seeding
from cambrian.evolution.settings import Settings
from cambrian.measurement import Measurement, Unit
from cambrian.testing.forked_runs import sound
from cambrian.testing.instant_run import BENCHMARKS
from cambrian.testing.workers import InstantWorker, quick

SETTINGS = Settings(seed=3, proposals=4, benchmarks=BENCHMARKS, sandbox="none")


class Failing(InstantWorker):
    """Named seed agents fail on one benchmark, for a cause, as often as `times` says."""

    def __init__(self, log: Path, seeds: Sequence[str], cause: str, times: dict[str, int]) -> None:
        super().__init__(log)
        self.trees = {load_seed(name).identity: name for name in seeds}
        self.cause = cause
        self.times = times

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        name = self.trees.get(agent_id, "")
        async for one in super().evaluate(agent_id, files, units, device):
            if one.unit.benchmark == BENCHMARKS[1] and self.times.get(name, 0) > 0:
                self.times[name] -= 1
                yield Measurement.on(
                    one.unit, "failed", one.version, cause=self.cause, reason="no such luck"
                )
                return
            yield one


def run(home: Path, told: list[str], *seeds: str, cause: str = "exception", times: int = 99) -> str:
    left = dict.fromkeys(seeds, times)
    make_worker = functools.partial(Failing, seeds=seeds, cause=cause, times=left)
    return supervisor.run(
        home, SETTINGS, told.append, options=Options(make_worker=make_worker, timing=quick(0.01))
    ).state


def test_a_seed_that_fails_is_told_and_shown_and_the_run_goes_on_with_the_others(
    tmp_path: Path,
) -> None:
    home, told = tmp_path / "a", list[str]()
    assert run(home, told, "composed", "replay") == "finished"
    for name in ("composed", "replay"):
        assert any(
            f"seed {name} failed on {BENCHMARKS[1]}: exception: no such luck" in text
            for text in told
        )
    with Archive.open(home, read_only=True) as archive:
        seeds = {seed.title: seed for seed in archive.agents.seeds()}
        assert {name for name, seed in seeds.items() if seed.score is None} == {
            "composed",
            "replay",
        }
        roots = {seeds[name].id for name in ("finetune", "random_features")}
        drawn = {parent for one in archive.proposals.select() for parent in one.parents}
        assert drawn and drawn.isdisjoint({seeds["composed"].id, seeds["replay"].id})
        assert archive.counts()["proposals"] == 4
        assert f"failed on {BENCHMARKS[1]}" in label(archive, seeds["composed"])
        assert set(sealing.wanted(archive)) >= roots
        assert seeds["replay"].id not in sealing.wanted(archive)
    assert sound(home) == []


def test_where_no_seed_works_the_run_ends_and_says_why_each_time(tmp_path: Path) -> None:
    home, everyone = tmp_path / "a", ("composed", "finetune", "random_features", "replay")
    for _ in range(2):
        with pytest.raises(CambrianError, match="no seed agent works") as error:
            run(home, [], *everyone)
        assert error.value.exit_code == 1
        assert all(f"{name} failed on" in str(error.value) for name in everyone)
    assert sound(home) == []


def test_a_seed_that_was_too_slow_is_tried_again(tmp_path: Path) -> None:
    home, told = tmp_path / "a", list[str]()
    assert run(home, told, "composed", cause="timeout", times=seeding.TRIES - 1) == "finished"
    with Archive.open(home, read_only=True) as archive:
        assert all(seed.score is not None for seed in archive.agents.seeds())
        assert archive.counts()["evaluations_broken"] == seeding.TRIES - 1
        assert archive.counts()["evaluations_failed"] == 0
    assert sound(home) == []


def test_a_seed_that_stays_too_slow_is_set_aside_until_the_next_start(tmp_path: Path) -> None:
    home, told = tmp_path / "a", list[str]()
    everyone = ("composed", "finetune", "random_features", "replay")
    with pytest.raises(CambrianError, match="set aside until the next start"):
        run(home, told, *everyone, cause="timeout")
    assert run(home, told, "composed", cause="timeout") == "finished"
    with Archive.open(home, read_only=True) as archive:
        [aside] = [seed for seed in archive.agents.seeds() if seed.score is None]
        assert aside.title == "composed"
        assert archive.evaluations.failures_of_seeds() == []
    assert any("composed was set aside until the next start" in text for text in told)
    assert sound(home) == []
