"""Agents side by side in the terminal, and completion for shells."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.cli.conftest import Cli, Command, EvolvedArchive


def test_two_agents_are_compared_paired_by_seed_and_benchmark(
    grown: EvolvedArchive, read_json: Callable[..., Any], run_cli: Cli
) -> None:
    """The two differ by 0.3 on each of three benchmarks and five seeds: so the archive is grown."""
    found = read_json("compare", grown["graft"], grown["replay"])
    (pair,) = found["pairs"]
    assert pair["overall"]["mean"] == pytest.approx(0.3)
    assert pair["probability_of_improvement"] == 1.0
    assert set(pair["benchmarks"]) == {"split-mnist", "digit-sums", "label-drift"}
    assert all(row["seeds"] == 5 for row in pair["benchmarks"].values())
    assert pair["fork"]["id"] == grown["replay"] and pair["fork"]["steps_ours"] == 1
    said = run_cli("compare", grown["graft"], grown["replay"]).stdout
    assert "+0.300" in said and "split-mnist" in said
    assert "#3 descends from #2, in 1 step." in said


def test_several_agents_are_held_against_the_first_and_code_is_shown_when_asked(
    grown: EvolvedArchive, read_json: Callable[..., Any], run_cli: Cli
) -> None:
    names = [grown[one] for one in ("cross", "graft", "finetune")]
    found = read_json("compare", *names)
    assert [pair["other"] for pair in found["pairs"]] == names[1:]
    assert found["pairs"][1]["fork"] is None, "from different seed agents"
    plain = run_cli("compare", *names).stdout
    assert "different seed agents" in plain and "+++" not in plain
    assert "+++" in run_cli("compare", *names, "--diff").stdout


def test_without_names_the_champion_stands_against_its_seed(
    grown: EvolvedArchive, read_json: Callable[..., Any]
) -> None:
    found = read_json("compare")
    assert [one["id"] for one in found["agents"]] == [grown["graft"], grown["replay"]]


def test_an_agent_that_is_not_there_is_said_to_be_missing(run_cli: Cli, command: Command) -> None:
    done = command("compare", "ffffffff", "@best")
    assert done.returncode == 3 and "ffffffff" in done.stderr
    many = command("compare", *["@best"] * 7)
    assert many.returncode == 2 and "at most 6" in many.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(shell: str, run_cli: Cli) -> None:
    script = run_cli("completion", shell).stdout
    assert "_CAMBRIAN_COMPLETE" in script and f"{shell}_complete" in script


def test_bash_completes_a_command_with_it(command: Command) -> None:
    script = command("completion", "bash").stdout
    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p cambrian"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "_cambrian_completion" in done.stdout, done.stderr
