"""A service lives on through trouble with its storage, wherever it is met."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from cambrian.archive import Archive
from cambrian.daemon import killswitch, supervisor
from cambrian.daemon.logs import EventLog
from cambrian.daemon.service import Options, Service
from cambrian.errors import CambrianError, StorageTrouble
from cambrian.evolution.settings import Settings
from cambrian.evolution.timing import Timing
from cambrian.testing.instant_run import BENCHMARKS
from cambrian.testing.workers import InstantWorker, quick

SETTINGS = Settings(seed=3, proposals=3, workers=2, benchmarks=BENCHMARKS, sandbox="none")


def failing_disk() -> sqlite3.Error:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


@contextmanager
def served(home: Path) -> Iterator[tuple[Service, list[str]]]:
    told: list[str] = []
    with Archive.open_or_create(home) as archive, archive.lock():
        supervisor.prepare(archive)
        row = archive.runs.start(3, SETTINGS.to_json(), 3)
        log = EventLog(home / "logs")
        options = Options(
            make_worker=lambda path: InstantWorker(path, lambda _: 0.02),
            log=log,
            timing=Timing(service_beat_s=0.02),
        )
        try:
            yield Service(archive, row, SETTINGS, told.append, options), told
        finally:
            log.close()


@pytest.mark.parametrize("kind", ["sqlite", "ours", "log"])
def test_a_log_that_meets_a_failing_disk_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    failed: list[str] = []
    follow = EventLog.follow

    def failing(self: EventLog, archive: Archive) -> int:
        if len(failed) < 5:
            failed.append(kind)
            if kind == "sqlite":
                raise failing_disk()
            raise StorageTrouble("no", "failing") if kind == "ours" else OSError(28, "full")
        return follow(self, archive)

    monkeypatch.setattr(EventLog, "follow", failing)
    with served(tmp_path / "a") as (running, _):
        assert anyio.run(running.run) == "finished"
        assert running.archive.counts()["proposals"] == 3
    assert len(failed) == 5
    assert '"event": "proposal.' in (tmp_path / "a/logs/daemon.jsonl").read_text()


def test_what_is_asked_while_the_archive_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "a") as (running, _):

        def unreadable() -> Any:
            raise failing_disk()

        monkeypatch.setattr(running.archive, "counts", unreadable)

        async def status() -> None:
            await running._answer("status", {}, False, "me")

        with pytest.raises(CambrianError, match="cannot be read: disk I/O error"):
            anyio.run(status)


def test_a_kill_switch_that_cannot_be_looked_at_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    stopped: list[int] = []

    def is_set(_: Path) -> bool:
        looks.append(1)
        if len(looks) < 3:
            raise OSError(5, "input/output error")
        return True

    monkeypatch.setattr(killswitch, "is_set", is_set)
    with killswitch.watch(tmp_path, lambda: stopped.append(1), look_s=0.01):
        end = time.monotonic() + 10
        while not stopped and time.monotonic() < end:
            time.sleep(0.01)
    assert stopped


@pytest.mark.parametrize("patient", [True, False])
def test_a_daemons_start_waits_for_room_and_a_foreground_runs_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    told: list[str] = []
    full = [True, True]
    real: Callable[..., Any] = supervisor.prepare

    def prepare(
        archive: Archive, benchmarks: Any = (), tell: Any = None, improver: str = "one-shot"
    ) -> None:
        if full:
            full.pop()
            raise StorageTrouble("the disk is full", "full")
        real(archive, benchmarks)

    monkeypatch.setattr(supervisor, "prepare", prepare)
    options = Options(make_worker=InstantWorker, patient=patient, timing=quick(0.01))

    def run() -> supervisor.Ending:
        return supervisor.run(tmp_path / "a", SETTINGS, told.append, options=options)

    if not patient:
        with pytest.raises(StorageTrouble, match="the disk is full"):
            run()
        return
    assert run().state == "finished"
    assert [t for t in told if "paused before the start: the disk is full" in t]
    assert "the archive can be written" in told
