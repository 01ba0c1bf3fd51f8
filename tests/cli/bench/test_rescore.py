"""`cambrian bench rescore`: whom it takes, what it says, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.evolution.test_suites import FIRST, SECOND, run

from cambrian.archive import Archive
from cambrian.cli.main import cli
from cambrian.daemon import killswitch
from cambrian.evolution.runtime import process_worker
from cambrian.testing.workers import InstantWorker


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rescore") / "archive"
    assert run(path, benchmarks=FIRST, proposals=10) == "finished"
    assert run(path, benchmarks=SECOND, proposals=2) == "finished"
    return path


@pytest.fixture(autouse=True)
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that judge at once, in place of processes."""
    monkeypatch.setattr(process_worker, "ProcessWorker", lambda _, log: InstantWorker(log))


def call(path: Path, *words: str) -> Result:
    given = ["--archive", str(path), "bench", "rescore", "--sandbox", "none", *words]
    return CliRunner().invoke(cli, given)


def test_whom_to_judge_is_to_be_said_in_one_way(grown: Path) -> None:
    for words in ((), ("@best", "--members")):
        done = call(grown, *words)
        assert done.exit_code == 2
        assert "members by ID, or --champions or --members" in done.stderr


def test_a_limit_of_nothing_runs_nothing_and_says_who_waits(grown: Path) -> None:
    done = call(grown, "--members", "--evaluations", "0")
    assert done.exit_code == 0, done.output
    assert "lack" in done.stderr
    assert "not judged yet; the same command goes on" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 evaluations run, 0.0 CPU s"


def test_champions_then_members_are_judged_and_shown_with_their_intervals(grown: Path) -> None:
    first = call(grown, "--champions", "--json")
    assert first.exit_code == 0, first.output
    found: dict[str, Any] = json.loads(first.stdout)
    [champion] = found["scored"]
    assert found["evaluations"] == 5
    assert champion["lower"] <= champion["score"] <= champion["upper"]
    text = call(grown, "--members").stdout
    assert f"#{champion['number']} " not in text, "it has its score"
    with Archive.open(grown, read_only=True) as archive:
        now = archive.suites.current()
        assert now is not None
        assert found["suite"] == now.suite.hash
        assert archive.suites.unscored(now.id) == []
        assert archive.suites.members(now.id) == archive.counts()["members"]
    assert call(grown, "--champions").stdout == "0 evaluations run, 0.0 CPU s\n"


def test_a_decision_says_by_which_suite_it_was_made(grown: Path) -> None:
    with Archive.open(grown, read_only=True) as archive:
        one = next(agent for agent in archive.agents.select() if agent.run_id == 1)
        first = archive.suites.all()[0]
    words = ["--archive", str(grown), "agent", "why", one.id]
    assert "which is not the current one" in CliRunner().invoke(cli, words).stdout
    told = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert told["suite"] == first.suite.hash


def test_the_kill_switch_and_an_archive_that_is_held_are_respected(grown: Path) -> None:
    with Archive.open(grown) as archive, archive.lock():
        done = call(grown, "--members")
        assert done.exit_code == 5
    switch = grown / killswitch.NAME
    switch.touch()
    try:
        done = call(grown, "--members")
    finally:
        switch.unlink()
    assert done.exit_code == 5
    assert "kill switch" in done.stderr
