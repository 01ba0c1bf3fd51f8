"""The process: its signals, its health pages, its service manager, a full disk."""

from __future__ import annotations

import json
import signal
import socket as sockets
import threading
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.cli.run.daemons import daemon

from cambrian.archive import Archive
from cambrian.daemon import health, killswitch, socket
from cambrian.daemon.status import Status
from cambrian.errors import Refused, StorageTrouble, Unreachable
from cambrian.testing import forked_runs


def test_the_kill_switch_stops_a_process_that_does_not_answer(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event loop hangs; the file still stops it, and keeps others from starting."""
    home = tmp_path / "run"
    with daemon(home, "hang=1", "grace=1") as running:
        (home / "hang").touch()
        with pytest.raises(Unreachable, match="does not answer"):
            for _ in range(600):
                socket.ask(home, "status", patience_s=2.0)
                time.sleep(0.1)
        (home / killswitch.NAME).touch()
        assert running.process.wait(20) == -signal.SIGKILL
    with pytest.raises(Refused, match="kill switch"):
        forked_runs.run(home, forked_runs.settings(4))
    assert command("run", env={"CAMBRIAN_ARCHIVE": str(home)}).returncode == 5
    (home / killswitch.NAME).unlink()
    with Archive.open(home, read_only=True) as archive:
        assert archive.lock_holder() is None


def test_the_kill_switch_stops_one_that_does(tmp_path: Path) -> None:
    with daemon(tmp_path / "run") as running:
        (tmp_path / "run" / killswitch.NAME).touch()
        assert running.process.wait(20) == 0


def test_a_second_sigterm_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    home = tmp_path / "run"
    with daemon(home, "speed=20") as running:
        running.process.send_signal(signal.SIGTERM)
        running.until(lambda s: s["state"] == "draining")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0
    assert forked_runs.sound(home) == []


def test_a_drain_takes_no_longer_than_stated(tmp_path: Path) -> None:
    with daemon(tmp_path / "run", "speed=60", "drain=1") as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0


def test_the_service_manager_hears_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        heard: list[str] = []
        with daemon(tmp_path / "run", **told) as running:
            while heard.count("WATCHDOG=1") < 3 or not any("READY=1" in text for text in heard):
                heard.append(manager.recv(4096).decode())
            running.process.send_signal(signal.SIGHUP)
            while not any("RELOADING=1\nMONOTONIC_USEC=" in text for text in heard):
                heard.append(manager.recv(4096).decode())
            running.until(lambda s: s["workers"] == 5)  # what the reload gave
            running.process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard.append(manager.recv(4096).decode())
            assert running.process.wait(10) == 0
    assert any(text.startswith("STATUS=run 1: ") for text in heard)


def test_health_and_metrics_are_served_on_loopback(tmp_path: Path) -> None:
    from urllib.error import HTTPError
    from urllib.request import urlopen

    with daemon(tmp_path / "run", "metrics=0") as running:
        port = running.until(lambda s: True)["metrics_port"]
        at = f"http://127.0.0.1:{port}"
        assert urlopen(f"{at}/healthz").read() == b"ok\n"
        assert urlopen(f"{at}/readyz").read() == b"running\n"
        text = urlopen(f"{at}/metrics").read().decode()
        assert "cambrian_ready 1.0" in text
        assert 'cambrian_jobs{state="leased"}' in text
        assert 'cambrian_budget_limit{limit="proposals"} 200.0' in text
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{at}/etc/passwd")
        for hostile in (b"POST / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"x" * 20_000):
            with sockets.create_connection(("127.0.0.1", port), 5) as raw:
                raw.sendall(hostile)
                assert raw.recv(100).startswith((b"HTTP/1.1 405", b"HTTP/1.1 400"))


def test_metrics_of_an_archive_that_cannot_be_read_are_not_available() -> None:
    def unreadable(*, whole: bool = True) -> Status:
        raise StorageTrouble("input/output error", "failing")

    status, _, text = health.page("/metrics", unreadable)
    assert status == 503 and "input/output error" in text


def test_a_full_disk_pauses_the_run_which_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The archive may have so many pages and no more; then it may have more again."""
    home = tmp_path / "run"
    with daemon(home, "full=1", "speed=0") as running:
        status = running.until(lambda s: "storage" in s["paused"])
        assert "full" in status["paused"]["storage"]
        assert status["state"].startswith("paused: the archive cannot be written")
        (home / "room").touch()
        running.until(lambda s: not s["paused"] and s["counts"]["judged"] >= 2)
    assert forked_runs.sound(home) == []


def test_detaching_says_what_went_wrong_at_once(command: Command, tmp_path: Path) -> None:
    env = {"CAMBRIAN_ARCHIVE": str(tmp_path / "a")}
    done = command("run", "--detach", "--sandbox", "none", "--rewriter", "model", env=env)
    assert done.returncode == 2 and "needs a model's name" in done.stderr
    for rest in ("--control", "--seal"):
        done = command("run", "--detach", rest, env=env)
        assert done.returncode == 2 and "once the run has finished" in done.stderr.lower()
    assert not (tmp_path / "a").exists()


def test_a_detached_run_is_ready_when_the_command_returns(command: Command, tmp_path: Path) -> None:
    env = {"CAMBRIAN_ARCHIVE": str(tmp_path / "a")}
    arguments = ("--sandbox", "none", "--benchmarks", "label-drift", "--proposals", "1")
    done = command("run", "--detach", "--json", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    pid = json.loads(done.stdout)["pid"]
    try:
        assert json.loads(command("status", "--json", env=env).stdout)["daemon"]["pid"] == pid
        assert command("stop", "--now", env=env).returncode == 0
    finally:
        threading.Event().wait(0.1)
        log = (tmp_path / "a" / "logs" / "daemon.jsonl").read_text().splitlines()
    assert all(json.loads(line)["level"] == "info" for line in log)
    assert {"job.leased"} <= {json.loads(line)["event"] for line in log}
