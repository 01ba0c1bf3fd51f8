"""Search minus sealed, as `status` and `suite show` say it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.cli.conftest import SEARCH, Cli, EvolvedArchive

from cambrian.archive import Archive
from cambrian.evaluators.suites import of_benchmarks

ReadJson = Callable[..., Any]
LEVELS = {"finetune": 0.1, "replay": 0.4, "graft": 0.7}


@pytest.fixture
def sealed(grown: EvolvedArchive) -> Callable[..., None]:
    """Open a suite, and seal the seed agents and the champion, who loses some of its score."""

    def record(loses: float) -> None:
        with Archive.open(grown.path) as archive:
            archive.suites.open(of_benchmarks(SEARCH))
            for name, level in LEVELS.items():
                less = loses if name == "graft" else 0.0
                noise = [0.02, 0.0, 0.03, 0.01, 0.04]  # as spread as the search's, in another order
                scores = {seed: level - less + noise[seed] for seed in range(5)}
                grown.seal(archive, name, scores)

    return record


def test_nothing_is_said_before_sealed_data_was_used(
    run_cli: Cli, read_json: ReadJson, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        archive.suites.open(of_benchmarks(SEARCH))
    assert read_json("status")["sealed"]["gaps"] is None
    assert read_json("suite", "show")["gaps"] is None
    assert "Search minus sealed" not in run_cli("suite", "show").stdout


def test_a_champion_that_holds_what_it_promised_raises_no_warning(
    run_cli: Cli, read_json: ReadJson, sealed: Callable[..., None]
) -> None:
    sealed(loses=0.0)
    found = read_json("status")["sealed"]["gaps"]
    assert found["warnings"] == []
    assert [one["same"]["mean"] for one in found["members"]] == pytest.approx([0, 0, 0])
    assert [one["unseen"]["mean"] for one in found["members"]] == pytest.approx([0.1] * 3)
    text = run_cli("status").stdout
    assert "no warning: the champion is not shown to fall further" in text
    assert "ALARM" not in text
    assert "unseen streams: +0.000 (one alone has no interval)" in text


@pytest.mark.parametrize("command", [("status",), ("suite", "show")])
def test_a_champion_that_falls_is_an_alarm_wherever_sealed_scores_are_shown(
    run_cli: Cli, sealed: Callable[..., None], grown: EvolvedArchive, command: tuple[str, ...]
) -> None:
    sealed(loses=0.3)
    text = run_cli(*command).stdout
    assert "Search minus sealed" in text
    assert f"#3 {grown['graft'][:10]}" in text and "(champion)" in text
    assert "mean of these" in text
    alarm = next(row for row in text.splitlines() if row.startswith("ALARM"))
    assert "the champion, #3, loses 0.300 more than the mean of 2 seed agents" in alarm
    found = json.loads(run_cli(*command, "--json").stdout)
    gaps = found["sealed"]["gaps"] if "sealed" in found else found["gaps"]
    assert gaps["excess"]["same"]["state"] == "alarm"
    assert gaps["champion"] == grown["graft"]
