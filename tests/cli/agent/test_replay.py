"""agent replay: a real evaluation, recorded, repeated, and recorded falsely."""

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
WHAT = ("--stage", "smoke", "--sandbox", "none")

AGENT = load_seed("finetune").identity


@pytest.fixture(scope="module")
def record() -> Measurement:
    """The smoke stage of a seed agent on one benchmark, run for real."""
    tree = load_seed("finetune")
    with Session(PlainBackend()) as session:
        session.install(tree)
        result = evaluate(session, Unit("label-drift", "smoke", 0))
    assert result.verdict == "scored", result.reason
    return result


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.create(tmp_path / "replayed") as opened:
        tree = load_seed("finetune")
        opened.agents.add_seed(tree.identity, tree, "finetune")
        yield opened


def test_what_was_recorded_is_reproduced_to_the_last_bit(
    archive: Archive, record: Measurement, run_cli: Cli
) -> None:
    archive.evaluations.record(AGENT, record)
    result = run_cli("agent", "replay", "@root", *WHAT, "--archive", str(archive.path))
    assert result.exit_code == 0, result.output
    assert result.stdout == "reproduced: label-drift, smoke stage, seed 0\n"
    assert "repeating label-drift" in result.stderr


def test_a_result_that_was_tampered_with_differs(
    archive: Archive, record: Measurement, read_json: ReadJson
) -> None:
    raw, flops = float(record.raw or 0), int(record.flops or 0)
    provenance = {**record.provenance, "cambrian": "0.0.0"}
    false = dataclasses.replace(record, raw=raw + 1e-9, flops=flops + 1, provenance=provenance)
    archive.evaluations.record(AGENT, false)
    arguments = ("agent", "replay", "@root", *WHAT, "--archive", str(archive.path))
    [found] = read_json(*arguments, exit_code=1)["items"]

    assert found["reproduced"] is False
    assert found["differs"] == {
        "raw": {"recorded": raw + 1e-9, "here": raw},
        "flops": {"recorded": flops + 1, "here": flops},
    }
    assert found["circumstances"]["cambrian"]["recorded"] == "0.0.0"


def test_a_recorded_failure_that_does_not_happen_again_differs(
    archive: Archive, record: Measurement, run_cli: Cli
) -> None:
    failed = Measurement(
        benchmark=record.benchmark,
        version=record.version,
        stage=record.stage,
        seed=record.seed,
        verdict="failed",
        reason="crash: it was another machine",
    )
    archive.evaluations.record(AGENT, failed)
    result = run_cli("agent", "replay", "@root", *WHAT, "--archive", str(archive.path))
    assert result.exit_code == 1
    assert "differs by cause (crash recorded" in result.stdout
    assert "verdict (failed recorded, scored here)" in result.stdout


def test_replaying_changes_nothing_in_the_archive(
    archive: Archive, record: Measurement, run_cli: Cli
) -> None:
    archive.evaluations.record(AGENT, record)
    before = (archive.counts(), archive.events(0, 1000))
    run_cli("agent", "replay", "@root", *WHAT, "--archive", str(archive.path))
    assert (archive.counts(), archive.events(0, 1000)) == before
