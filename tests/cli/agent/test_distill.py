"""`cambrian agent distill`: the table, the core as a tree, and a count of what was sealed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.daemon.supervisor import prepare
from cambrian.evaluators.suites import suite
from cambrian.testing.workers import InstantWorker


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(
        "cambrian.evolution.runtime.process_worker.ProcessWorker",
        lambda sandbox, log: InstantWorker(log),
    )
    with Archive.create(tmp_path / "a") as archive, archive.lock():
        prepare(archive)
        archive.suites.open(suite("continual"))
    return tmp_path / "a"


def test_the_core_is_shown_and_written_and_sealed_use_is_counted(
    run_cli: Cli, home: Path, tmp_path: Path
) -> None:
    core = tmp_path / "core"
    call = ("--archive", str(home), "agent", "distill", "#1", "--sandbox", "none")
    first = run_cli(*call, "--json", "-o", str(core))
    assert first.exit_code == 0, first.stderr
    data = json.loads(first.stdout)
    assert data["parts"] == ["Reservoir"] and data["evaluations"] > 0
    assert data["sealed"]["seeds"] == 5
    assert (core / "learner.py").is_file()
    same = (core / "learner.py").read_text() == load_seed("composed")["learner.py"]
    assert same == (not data["removed"])
    with Archive.open(home, read_only=True) as archive:
        assert archive.sealings.looks().times == 1
    again = run_cli(*call)
    assert again.stdout.startswith("Suite continual. The original:")
    with Archive.open(home, read_only=True) as archive:
        assert archive.sealings.looks().times == 1  # nothing was run again
    assert run_cli(*call, "-o", str(core)).exit_code == 2


def test_an_agent_that_is_no_list_of_parts_is_wrong_usage(run_cli: Cli, home: Path) -> None:
    call = ("--archive", str(home), "agent", "distill", "#2", "--sandbox", "none")
    result = run_cli(*call)
    assert result.exit_code == 2 and "composed of parts" in result.stderr
