"""Sealed runs: only when asked, never inside a search, each use counted, nothing run twice."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from cambrian.archive import Archive
from cambrian.archive.store import CONTROL
from cambrian.daemon import killswitch, supervisor
from cambrian.daemon.service import Options
from cambrian.errors import Refused, SandboxBroken
from cambrian.evolution import sealing
from cambrian.evolution.errands import ATTEMPTS
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.settings import Settings
from cambrian.measurement import Measurement, Unit
from cambrian.testing.instant_run import BENCHMARKS, grow
from cambrian.testing.workers import InstantWorker, judged, quick

STREAMS = len(BENCHMARKS) + 1
PER_AGENT = 5 * STREAMS
SETTINGS = Settings(seed=3, proposals=4, benchmarks=BENCHMARKS, sandbox="none")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    grow(tmp_path / "archive", SETTINGS)
    with Archive.open(tmp_path / "archive") as opened:
        yield opened


def sealed(archive: Archive, *agents: str, make_worker: type[InstantWorker] = InstantWorker) -> int:
    chosen = list(agents) or sealing.wanted(archive)
    return sealing.seal(archive, chosen, BENCHMARKS, make_worker, lambda _: None, timing=quick())


def test_seeds_and_champion_are_run_once_and_every_use_is_counted(archive: Archive) -> None:
    champion = archive.champion()
    assert champion is not None
    everyone = {seed.id for seed in archive.agents.seeds()} | {champion.id}
    assert sealed(archive) == PER_AGENT * len(everyone)
    assert set(archive.evaluations.sealed_agents()) == everyone
    looks = archive.sealings.looks()
    assert (looks.times, looks.agents) == (len(everyone), len(everyone))
    assert looks.evaluations == archive.counts()["sealed_evaluations_scored"]
    assert sealed(archive) == 0
    assert archive.sealings.looks() == looks
    stages = {row.stage for row in archive.evaluations.of(champion.id)}
    assert "sealed" not in stages


def test_one_agent_can_be_named(archive: Archive) -> None:
    one = archive.agents.seeds()[0].id
    assert sealed(archive, one) == PER_AGENT
    assert archive.evaluations.sealed_agents() == [one]
    assert [s.agent_id for s in archive.sealings.all()] == [one]


def test_sealed_data_is_refused_inside_a_search(archive: Archive) -> None:
    archive.runs.start(9, SETTINGS.to_json(), 4)
    with pytest.raises(Refused, match="not used inside a search"):
        sealed(archive)
    assert archive.sealings.looks().times == 0


class DiesHalfWay(InstantWorker):
    """Breaks after three evaluations, every time."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        for unit in units[:3]:
            yield judged(files, unit)
        raise SandboxBroken("gone")


def test_a_sandbox_that_breaks_loses_nothing_that_was_recorded(archive: Archive) -> None:
    one = archive.agents.seeds()[0].id
    with pytest.raises(SandboxBroken, match="gone"):
        sealed(archive, one, make_worker=DiesHalfWay)
    # Three attempts, and each goes on where the last one stopped.
    assert len(archive.evaluations.of(one, sealed=True)) == 3 * ATTEMPTS
    assert sealed(archive, one) == PER_AGENT - 3 * ATTEMPTS
    looks = archive.sealings.looks()
    assert (looks.times, looks.agents) == (2, 1)


def test_a_run_seals_at_its_end_if_asked_and_goes_on_there_if_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, options = tmp_path / "archive", Options(make_worker=InstantWorker)

    def run(seal: bool) -> None:
        supervisor.run(home, SETTINGS, lambda _: None, seal=seal, options=options)

    run(False)
    with Archive.open(home, read_only=True) as archive:
        assert archive.sealings.looks().times == 0
    run(True)
    with Archive.open(home, read_only=True) as archive:
        assert archive.runs.last() == archive.runs.get(1)  # no second run: only the rest
        assert set(archive.evaluations.sealed_agents()) == set(sealing.wanted(archive))


def test_the_kill_switch_stops_sealing_without_loss(tmp_path: Path) -> None:
    home, switch = tmp_path / "archive", tmp_path / "archive" / killswitch.NAME

    def run(make_worker: WorkerFactory, *, seal: bool = True) -> str:
        options = Options(make_worker=make_worker)
        return supervisor.run(home, SETTINGS, lambda _: None, seal=seal, options=options).state

    def is_set(_: str) -> float:
        switch.touch()
        return 0.1

    assert run(InstantWorker, seal=False) == "finished"
    assert run(functools.partial(InstantWorker, before=is_set)) == "stopped"
    with pytest.raises(Refused, match="kill switch"):
        run(InstantWorker)
    switch.unlink()
    assert run(InstantWorker) == "finished"
    with Archive.open(home, read_only=True) as archive:
        wanted, rows = sealing.wanted(archive), archive.database.rows
        assert set(archive.evaluations.sealed_agents()) == set(wanted)
        assert len(rows("SELECT 1 FROM sealed_evaluations")) == PER_AGENT * len(wanted)
        assert archive.sealings.looks().times > len(wanted)


def test_the_control_is_sealed_by_its_champion_alone(tmp_path: Path) -> None:
    home, options = tmp_path / "archive", Options(make_worker=InstantWorker)
    supervisor.run(home, SETTINGS, lambda _: None, seal=True, control=True, options=options)
    with Archive.open(home / CONTROL, read_only=True) as control:
        champion = control.champion()
        assert champion is not None
        assert control.evaluations.sealed_agents() == [champion.id]
