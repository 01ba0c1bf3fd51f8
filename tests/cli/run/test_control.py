"""The commands that steer a run, against a real daemon and without one."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli, Command, EvolvedArchive
from tests.cli.run.daemons import Daemon, daemon, raw

from cambrian.archive import Archive, Proposal
from cambrian.daemon import socket
from cambrian.errors import CambrianError, Unreachable
from cambrian.evolution.budget import Budget
from cambrian.evolution.settings import Settings
from cambrian.testing import forked_runs


def test_a_running_daemon_is_paused_resumed_and_stopped(command: Command, tmp_path: Path) -> None:
    home = tmp_path / "run"
    here = {"CAMBRIAN_ARCHIVE": str(home)}

    def ask(*arguments: str) -> str:
        done = command(*arguments, env=here)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with daemon(home) as running:
        assert ask("pause", "--dry-run") == "would be done: run 1 is paused"
        assert running.until(lambda s: True)["paused"] == {}
        assert ask("pause") == "run 1 is paused"
        assert ask("pause") == "run 1 is paused already"
        assert "by request" in ask("status")
        assert ask("set-workers", "3") == "2 workers before, 3 now"
        assert ask("set-budget", "agents", "50") == "agents: no limit before, 50 now"
        found = json.loads(command("status", "--json", env=here).stdout)
        assert found["daemon"]["workers"] == 3
        assert {"name": "agents", "limit": 50.0}.items() <= next(
            one.items() for one in found["budget"] if one["name"] == "agents"
        )
        assert ask("resume") == "run 1 continues"
        running.until(lambda s: s["jobs"]["leased"] > 0 and not s["paused"])
        assert ask("stop", "--wait").startswith("finishing")
        assert running.process.wait(10) == 0
    with Archive.open(home, read_only=True) as archive:
        assert archive.runs.last().state == "stopped"  # type: ignore[union-attr]
        states = {row["state"] for row in archive.database.rows("SELECT state FROM intents")}
        assert states == {"done"}
    with daemon(home) as again:  # what was ordered holds
        status = again.until(lambda s: True)
        assert status["workers"] == 3
        assert ask("stop", "--now").startswith("stopping now")
        assert again.process.wait(10) == 0


def test_a_variant_that_is_being_made_is_given_up_and_its_answer_counted(
    command: Command, tmp_path: Path
) -> None:
    home = tmp_path / "run"

    def cancel(*arguments: str) -> str:
        done = command("cancel", *arguments, env={"CAMBRIAN_ARCHIVE": str(home)})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with daemon(home, "think=1") as running:
        running.until(lambda s: s["counts"]["open"] == 6)
        assert cancel("p0", "--dry-run") == "would be done: proposal 0 is cancelled"
        assert cancel("p0") == "proposal 0 is cancelled"
        assert cancel("p0") == "proposal 0 is cancelled already"
        assert cancel("p5") == "proposal 5 is cancelled"  # waits for its turn to be made
        (home / "idea").touch()
        running.until(lambda s: s["counts"]["proposals"] > 8)
        running.process.kill()
        running.process.wait()
    undecided = [p for p in _proposals(home) if not p.terminal]
    assert cancel(f"p{undecided[0].idx}") == f"proposal {undecided[0].idx} is cancelled"
    with daemon(home) as again:
        again.until(lambda s: s["counts"]["proposals"] > 16)
        command("stop", "--wait", env={"CAMBRIAN_ARCHIVE": str(home)})
    ended = {p.idx: (p.state, (p.reason or "")[:20]) for p in _proposals(home)}
    for index in (0, 5, undecided[0].idx):
        assert ended[index] == ("invalid", "cancelled by request")
    with Archive.open(home, read_only=True) as archive:
        asked = "SELECT proposal_id AS id, estimated FROM spend WHERE proposal_id < 3 ORDER BY id"
        assert archive.database.rows(asked) == [{"id": n, "estimated": 0} for n in (1, 2)]
        assert archive.database.value("SELECT count(*) FROM reservations") == 0
        cancelled = "kind = 'proposal.invalid' AND json_extract(data, '$.idx') = 0"
        assert archive.database.value(f"SELECT count(*) FROM events WHERE {cancelled}") == 1
    assert forked_runs.sound(home) == []


def _proposals(home: Path) -> list[Proposal]:
    with Archive.open(home, read_only=True) as archive:
        return archive.proposals.select()


def test_what_nobody_runs_is_steered_in_the_archive_itself(
    run_cli: Cli, grown: EvolvedArchive
) -> None:
    assert run_cli("pause").stdout == "run 1 is paused\n"
    assert run_cli("set-workers", "7").stdout == "None workers before, 7 now\n"
    assert run_cli("stop").stdout == "no process is running on this archive\n"
    with Archive.open(grown.path) as archive:
        assert archive.steering.orders(1) == {"paused": True, "workers": 7}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("set-budget", "cows", "3"), 2),
        (("set-budget", "tokens", "many"), 2),
        (("set-budget", "tokens", "-1"), 2),
        (("set-budget", "proposals", "none"), 2),
        (("set-workers", "0"), 2),
        (("approve", "p99"), 3),
        (("approve", "p6"), 3),
        (("reject", "zzzz"), 2),
        (("retry", "p0"), 5),
        (("cancel", "p0"), 5),
        (("cancel", "p5"), 5),
    ],
)
def test_what_cannot_be_done_is_refused_and_not_written_down(
    command: Command, grown: EvolvedArchive, arguments: tuple[str, ...], code: int
) -> None:
    done = command(*arguments[:1], "--", *arguments[1:])
    assert done.returncode in (code, 3 if arguments[1] == "zzzz" else code), done.stderr
    assert done.stderr.startswith("cambrian: ") and done.stdout == ""
    with Archive.open(grown.path) as archive:
        assert archive.database.value("SELECT count(*) FROM intents") == 0


def _each(
    verb: str, key: str, /, *values: object, **rest: object
) -> list[tuple[str, dict[str, Any]]]:
    return [(verb, {key: value, **rest}) for value in values]


ODD = [
    *_each("approve", "agent", 10**30, -1, True, 1.5, [1], None, "\ud800", "", "x" * 999),
    *_each("approve", "reason", "\ud800" * 9, agent=0),
    *_each("cancel", "agent", 2**63, {"a": 1}, "#99999999999999999999999"),
    *_each("set-budget", "limit", True, "9", [], 10**400, -1, 0.5, name="agents"),
    *_each("set-budget", "name", [], None, "\ud800", "cows", limit=1),
    *_each("set-workers", "count", True, 1.0, None, 10**30),
    *_each("stop", "how", ["now"], 1, None),
    *_each("pause", "later", True),
    *_each("nothing", "at", "all"),
]


def test_no_request_however_odd_ends_a_run(tmp_path: Path) -> None:
    with daemon(tmp_path / "run") as running:
        for verb, arguments in ODD:
            for dry_run in (True, False):
                with pytest.raises(CambrianError) as refused:
                    socket.ask(tmp_path / "run", verb, arguments, dry_run=dry_run)
                assert not isinstance(refused.value, Unreachable), (verb, arguments)
                assert "failed unexpectedly" not in str(refused.value), (verb, arguments)
        assert running.until(lambda s: True)["state"] == "running"
    with Archive.open(tmp_path / "run", read_only=True) as archive:
        assert archive.database.value("SELECT count(*) FROM intents") == 0


def test_a_person_sees_and_answers_what_waits(command: Command, tmp_path: Path) -> None:
    home = tmp_path / "run"
    here = {"CAMBRIAN_ARCHIVE": str(home)}
    with daemon(home, "approve=all", "speed=0") as running:
        running.until(lambda s: s["approvals"] == 1)
        shown = command("approvals", "--diff", env=here)
        for said in ("every admission waits", "NOTES.md", "improvement", "hypothesis"):
            assert said in shown.stdout
        [waiting] = json.loads(command("approvals", "--json", env=here).stdout)["items"]
        first = f"p{waiting['proposal']}"
        assert waiting["gates"] and waiting["diff"]
        assert command("reject", first, "--reason", "no", env=here).returncode == 0
        running.until(lambda s: s["counts"]["rejected"] >= 1)
        assert "already" in command("reject", first, env=here).stdout
        assert command("approve", first, env=here).returncode == 5
        [waiting] = running_approvals(running, home)
        assert command("approve", waiting[:12], env=here).returncode == 0
        running.until(lambda s: s["counts"]["admitted"] >= 1)
        os.kill(running.process.pid, signal.SIGKILL)  # durable, of course
    with Archive.open(home) as archive:
        reasons = [p.reason for p in archive.proposals.select() if p.state == "rejected"]
        assert "rejected by a person: no" in reasons


def running_approvals(running: Daemon, home: Path) -> list[str]:
    running.until(lambda s: s["approvals"] == 1)
    with Archive.open(home, read_only=True) as archive:
        waiting = [a.proposal_id for a in archive.steering.waiting()]
        return [str(archive.proposals.get(one).agent_id) for one in waiting]


def test_a_reload_says_what_it_took_what_belongs_to_the_run_and_what_needs_a_restart(
    command: Command, tmp_path: Path
) -> None:
    home, file = tmp_path / "run", tmp_path / "cambrian.toml"
    env = {"CAMBRIAN_ARCHIVE": str(home), "CAMBRIAN_CONFIG": str(file)}
    common = '[run]\nsandbox = "none"\nbenchmarks = ["label-drift"]\n'
    file.write_text(f"{common}agents = 70\nmetrics = 0\n")
    assert command("run", "--detach", env=env).returncode == 0
    file.write_text(
        f'{common}agents = 60\nseed = 4\nworkers = 1\ndrain = 5\n[prices]\n"m" = [1, 2]\n'
    )
    os.kill(socket.ask(home, "status")["data"]["pid"], signal.SIGHUP)
    end = time.monotonic() + 60
    while socket.ask(home, "status")["data"]["workers"] != 1 and time.monotonic() < end:
        time.sleep(0.05)
    assert command("stop", "--now", env=env).returncode == 0
    said = "\n".join(
        json.loads(line).get("text", "")
        for line in (home / "logs" / "daemon.jsonl").read_text().splitlines()
    )
    for text in ("agents: 70 before, 60 now", "workers: 2 before, 1 now", "prices: {}"):
        assert text in said.split("settings reloaded: ")[1].splitlines()[0]
    assert "not taken, a run keeps them to its end: seed: 0 before, 4 now\n" in said
    assert "restart: drain: 300.0 before, 5.0 now; metrics: 0 before, None now" in said
    # What was taken is the run's from now on, whoever looks and whoever changes it again.
    assert "0 of 60" in command("status", env=env).stdout
    done = command("set-budget", "agents", "50", env=env)
    assert done.stdout == "agents: 60 before, 50 now\n"
    with Archive.open(home) as archive:
        run = archive.runs.last()
        assert run is not None
        settings = Settings(agents=60, benchmarks=("label-drift",), sandbox="none", workers=1)
        assert Budget(archive, run, settings.to_json()).limits["agents"] == 50


def test_who_resumes_with_other_workers_means_those(tmp_path: Path) -> None:
    with daemon(tmp_path / "run") as running:
        socket.ask(tmp_path / "run", "set-workers", {"count": 3})
        running.until(lambda s: s["workers"] == 3)
    with daemon(tmp_path / "run") as running:  # the order holds
        running.until(lambda s: s["workers"] == 3)
    with daemon(tmp_path / "run", "workers=4") as running:
        running.until(lambda s: s["workers"] == 4)


def test_the_control_socket_is_for_its_owner_and_takes_only_what_it_knows(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 90) / ("b" * 60)
    long.mkdir(parents=True)
    with daemon(long / "archive") as running:
        home = running.home
        assert (home / "socket").stat().st_mode & 0o777 == 0o700
        for text in (b"[]\n", b"{\n", b'{"verb": 1}\n', b'{"verb": "pause"}\n', b"x" * 100_000):
            reply = raw(home, text)
            assert not reply or json.loads(reply)["exit_code"] == 2
        with pytest.raises(Exception, match="expected one of pause"):
            socket.ask(home, "rm", {})
        with pytest.raises(Exception, match="expected only now"):
            socket.ask(home, "pause", {"then": 1})
        assert socket.ask(home, "status")["ok"]
    assert socket.allowed(os.geteuid()) and socket.allowed(0)
    assert not socket.allowed(os.geteuid() + 1)
