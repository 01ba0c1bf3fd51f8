"""`cambrian experiment`: simulated searches and their tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.evolution.settings import Settings
from cambrian.experiments import ablation
from cambrian.testing.workers import InstantWorker

from .conftest import Cli

SMALL = ("--landscape", "stones", "--strategies", "greedy,random", "--budget", "12")


def test_a_simulation_is_kept_shown_and_not_measured_twice(run_cli: Cli, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    first = run_cli("experiment", "simulate", *SMALL, "--repeats", "2", "--out", out)
    assert first.exit_code == 0 and "repeats 0 to 1 in" in first.stderr
    assert first.stdout.startswith("### stones, stepping-stones, 12 proposals")
    assert run_cli("experiment", "show", out).stdout == first.stdout
    again = ("experiment", "simulate", *SMALL, "--repeats", "2", "--out", out)
    assert run_cli(*again).exit_code == 5
    resumed = run_cli(*again, "--resume", "--json")
    assert "repeats" not in resumed.stderr
    data = json.loads(resumed.stdout)
    assert {one["strategy"] for one in data["results"]} == {"greedy", "random"}
    assert (
        data["results"]
        == json.loads(run_cli("experiment", "show", out, "--json").stdout)["results"]
    )


def test_results_of_other_code_are_shown_and_said_to_be(run_cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_cli("experiment", "simulate", *SMALL, "--repeats", "1", "--out", str(out))
    assert "other code" not in run_cli("experiment", "show", str(out)).stderr
    stored = out / "results.jsonl"
    lines = [{**json.loads(line), "code": "0" * 12} for line in stored.read_text().splitlines()]
    stored.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "measured by other code than this" in run_cli("experiment", "show", str(out)).stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--landscape", "no landscape is called 'x'; there are: smooth"),
        ("--strategies", "no strategy is called 'x'; there are: dgm"),
        ("--admission", "no rule of admission is called 'x'; there are: stepping-stones"),
    ],
)
def test_an_unknown_name_is_wrong_usage(
    run_cli: Cli, tmp_path: Path, option: str, said: str
) -> None:
    result = run_cli("experiment", "simulate", option, "x", "--out", str(tmp_path))
    assert result.exit_code == 2 and said in result.stderr


def test_a_folder_without_results_is_not_found(run_cli: Cli, tmp_path: Path) -> None:
    result = run_cli("experiment", "show", str(tmp_path))
    assert result.exit_code == 3 and "cambrian experiment simulate --out" in result.stderr


def test_real_searches_are_shown_with_pictures(run_cli: Cli, tmp_path: Path) -> None:
    out, pictures = tmp_path / "real", tmp_path / "pictures"
    wanted = ablation.cells(["greedy", "random"], ["better"], 2)
    list(ablation.ablate(ablation.Plan("continual", judged=2), wanted, out, instant()))
    shown = run_cli("experiment", "show", str(out), "--plots", str(pictures))
    assert shown.exit_code == 0 and shown.stdout.startswith("### Real searches on the suite cont")
    assert sorted(one.name for one in pictures.iterdir()) == [
        "better-cpu-s.svg",
        "better-differences.svg",
        "better-evaluations.svg",
    ]
    data = json.loads(run_cli("experiment", "show", str(out), "--json").stdout)
    assert data["kind"] == "ablation" and len(data["searches"]) == 4
    strict = run_cli("experiment", "show", str(out), "--json", "--threshold", "2")
    assert all(one["reached"] == 0 for one in json.loads(strict.stdout)["results"])
    stored = str(out / "cells.jsonl")
    assert run_cli("experiment", "show", stored).stdout.startswith("### Real searches")


def test_pictures_are_of_real_searches(run_cli: Cli, tmp_path: Path) -> None:
    result = run_cli("experiment", "show", str(tmp_path), "--plots", str(tmp_path / "p"))
    assert result.exit_code == 2 and "are of real searches" in result.stderr


def instant() -> ablation.Means:
    def search(home: Path, settings: Settings) -> str:
        options = Options(make_worker=InstantWorker)
        return supervisor.run(home, settings, lambda _: None, options=options).state

    return ablation.Means(search, InstantWorker, lambda _: None, 2, "none")
