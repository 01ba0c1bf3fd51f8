"""bench recompute: metrics from recorded answers, and what it says of a falsified record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive, Measurement
from cambrian.evaluators.job import evaluate
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

ReadJson = Callable[..., Any]
AGENT = load_seed("finetune").identity
WHAT = ("bench", "recompute", "@root", "--stage", "smoke")


@pytest.fixture(scope="module")
def record() -> Measurement:
    tree = load_seed("finetune")
    with Session(PlainBackend()) as session:
        session.install(tree)
        result = evaluate(session, Unit("split-mnist", "smoke", 0))
    assert result.verdict == "scored", result.reason
    return result


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.create(tmp_path / "kept") as opened:
        tree = load_seed("finetune")
        opened.agents.add_seed(tree.identity, tree, "finetune")
        yield opened


def test_recorded_answers_give_the_recorded_figures(
    archive: Archive, record: Measurement, run_cli: Cli
) -> None:
    archive.evaluations.record(AGENT, record)
    result = run_cli(*WHAT, "--archive", str(archive.path))
    assert result.exit_code == 0, result.output
    assert result.stdout == "the same: split-mnist, smoke stage, seed 0\n"


def test_a_figure_that_was_not_recorded_is_shown_and_a_false_one_found(
    archive: Archive, record: Measurement, run_cli: Cli
) -> None:
    changed = {k: v for k, v in record.metrics.items() if k != "forgetting"}
    changed["backward_transfer"] = 0.5
    archive.evaluations.record(AGENT, dataclasses.replace(record, metrics=changed))
    result = run_cli(*WHAT, "--archive", str(archive.path))
    assert result.exit_code == 1
    assert result.stdout.startswith("differs: split-mnist")
    assert "backward_transfer: recorded 0.5, now" in result.stdout
    assert f"forgetting: {record.metrics['forgetting']:.4f} (not recorded)" in result.stdout


def test_as_json_every_metric_is_there(
    archive: Archive, record: Measurement, read_json: ReadJson
) -> None:
    archive.evaluations.record(AGENT, record)
    [found] = read_json(*WHAT, "--archive", str(archive.path))["items"]
    assert found["same"]
    assert found["metrics"] == {"raw": record.raw, **record.metrics}


def test_without_answers_there_is_nothing_to_work_out(
    archive: Archive, record: Measurement, run_cli: Cli
) -> None:
    archive.evaluations.record(AGENT, dataclasses.replace(record, predictions={}))
    result = run_cli(*WHAT, "--archive", str(archive.path))
    assert result.exit_code == 2
    assert "no answers were kept" in result.stderr


def test_answers_to_another_version_are_refused(
    archive: Archive, record: Measurement, run_cli: Cli
) -> None:
    archive.evaluations.record(AGENT, dataclasses.replace(record, version="0"))
    result = run_cli(*WHAT, "--archive", str(archive.path))
    assert result.exit_code == 2
    assert "the answers were given to 0" in result.stderr
