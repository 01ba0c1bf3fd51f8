"""`cambrian experiment`: simulated searches and their tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
