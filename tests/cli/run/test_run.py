"""run: what it says before, while and after; how it is refused and stopped."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import HOSTILE, SEARCH, SOURCE, Cli, Command, EvolvedArchive

from cambrian.agents.seeds import seed_names
from cambrian.archive import Archive
from cambrian.cli.run.execute import report
from cambrian.cli.run.options import settings_of
from cambrian.cli.run.plan import plan
from cambrian.cli.run.progress import ProgressReporter, remaining, share_done, standing
from cambrian.errors import CambrianError, NotFound, UsageError
from cambrian.evaluators.benchmarks import search_names
from cambrian.evaluators.suites import suite
from cambrian.evolution.settings import PROPOSALS, Settings
from cambrian.reports.plan import estimate_s

ReadJson = Callable[..., Any]


def given(**changes: Any) -> Settings:
    plain: dict[str, Any] = {
        "proposals": None,
        "hours": None,
        "judged": None,
        "workers": 2,
        "seed": 0,
        "rewriter": "recombine",
        "model": "",
        "tokens": None,
        "sandbox": "none",
        "benchmarks": "",
        "order": "fixed",
        "selection": "dgm",
        "device": "cpu",
    }
    return settings_of({**plain, **changes})


def test_a_run_without_an_end_ends_after_forty_proposals() -> None:
    assert given().proposals == PROPOSALS == 40
    for end in ({"hours": 1.0}, {"judged": 5}):
        assert given(**end).proposals is None
    assert given(proposals=0).proposals == 0


def test_benchmarks_are_split_at_commas_and_default_to_all_a_search_may_use() -> None:
    assert given().benchmarks == tuple(search_names())
    assert given(benchmarks=" label-drift, split-mnist ").benchmarks == (
        "label-drift",
        "split-mnist",
    )


def test_a_suite_stands_in_place_of_benchmarks_and_never_beside_them() -> None:
    found = given(suite=" drift ")
    assert (found.suite, found.benchmarks) == ("drift", suite("drift").benchmarks)
    assert given().suite == ""
    with pytest.raises(UsageError, match="--suite or --benchmarks, got both"):
        given(suite="drift", benchmarks="label-drift")
    with pytest.raises(NotFound, match="no suite is called"):
        given(suite="sums")


def test_init_makes_an_archive_of_seed_agents(run_cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "new"
    result = run_cli("init", "--archive", str(path))
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    with Archive.open(path, read_only=True) as archive:
        assert sorted(agent.title for agent in archive.agents.seeds()) == sorted(seed_names())


def test_the_plan_names_sandbox_benchmarks_ends_and_time(tmp_path: Path) -> None:
    settings = Settings(proposals=40, judged=30, sandbox="docker", benchmarks=SEARCH, workers=2)
    text = "\n".join(plan(tmp_path / "new", settings, control=False, seal=True))
    for said in ("(new)", "40 proposals or 30 judged", "sandbox: docker", *SEARCH, "blurry-digits"):
        assert said in text
    assert "takes about" in text


def test_the_estimate_grows_with_the_work_and_shrinks_with_the_workers(tmp_path: Path) -> None:
    def seconds(control: bool = False, **changes: Any) -> float:
        settings = Settings(**{"proposals": 40, "benchmarks": SEARCH, "workers": 2, **changes})
        return estimate_s(tmp_path / "new", settings, control=control)

    assert seconds(proposals=80) > seconds() > seconds(proposals=10) > 0
    assert seconds(control=True) > seconds()
    assert abs(seconds(workers=4) - seconds() / 2) < 1e-6
    assert seconds(hours=0.001) < seconds()
    assert seconds(proposals=None, hours=2.0) > 7200


def test_a_run_that_goes_on_is_planned_from_where_it_is(grown: EvolvedArchive) -> None:
    settings = Settings(proposals=40, benchmarks=SEARCH, workers=2)
    new = estimate_s(grown.path.parent / "new", settings, control=False)
    assert estimate_s(grown.path, settings, control=False) < new
    assert "continuing run 1" in next(iter(plan(grown.path, settings, control=False)))


def test_an_unfinished_run_with_other_settings_is_refused(
    command: Command, grown: EvolvedArchive
) -> None:
    result = command("run", "--sandbox", "none", "--seed", "3")
    assert result.returncode == 5, result.stderr
    last = result.stderr.splitlines()[-1]
    assert "run 1 of this archive is unfinished" in last
    assert "--abandon" in last
    assert "plan: 40 proposals" in result.stderr
    assert "no limits" in result.stderr  # what --sandbox none means
    assert result.stdout == ""


def test_away_from_a_terminal_every_event_is_a_safe_line(
    grown: EvolvedArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressReporter(grown.path) as tell:
        tell(f"#1 rejected · {HOSTILE}\nsecond")
        tell("seed replay: 0.4")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert not set("".join(lines)) & {"\x1b", "\x07", "\u202e"}
    assert lines[0].endswith("second")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("verbose", "shown"), [(False, False), (True, True)])
def test_on_a_terminal_there_is_a_bar_and_what_was_admitted(
    grown: EvolvedArchive, monkeypatch: pytest.MonkeyPatch, verbose: bool, shown: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with ProgressReporter(grown.path, verbose=verbose) as tell:
        tell("#1 rejected · Dull [bold]idea[/bold]")
        tell(f"#3 admitted · Bright idea {HOSTILE}")
    text = terminal.getvalue()
    assert "3 judged, 2 admitted, best 0.700" in text
    assert "Bright idea" in text
    assert "\\x1b[2J" in text
    assert "\x1b[2J" not in text
    assert ("Dull [bold]idea[/bold]" in text) is shown


def test_progress_is_the_share_of_the_nearest_end(grown: EvolvedArchive) -> None:
    with Archive.open(grown.path) as archive:
        assert share_done(archive) == 6 / 40  # proposal 6 is open
        assert standing(archive) == "3 judged, 2 admitted, best 0.700"
    with Archive.create(grown.path.parent / "empty") as empty:
        assert share_done(empty) == 0.0


def test_the_time_left_follows_the_pace() -> None:
    assert remaining(0.25, 0.5, 600.0) == "about 20 min left"
    assert remaining(0.0, 1.0, 5.0) == ""  # no pace yet


def test_the_report_shows_tree_champion_and_what_made_it_better(
    grown: EvolvedArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    with Archive.open(grown.path) as archive:
        grown.seal(archive, "replay", dict.fromkeys(range(5), 0.4))
        grown.seal(archive, "graft", dict.fromkeys(range(5), 0.7))
    report(grown.path, as_json=False)
    text = capsys.readouterr().out
    tree, rest = text.split("What made the champion better", 1)
    path, run = rest.split("The run", 1)
    assert "└─ #3*" in tree
    assert path.index("seed  0.400") < path.index("improvement  0.700")
    assert "against its parent, paired: +0.300 [+0.290, +0.310]" in path
    assert "3 judged" in run
    assert "champion minus the best seed agent, #2 replay: +0.300" in run


def test_the_report_as_json_is_status_and_the_path(
    grown: EvolvedArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    report(grown.path, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["judged"] == 3
    assert [step["id"] for step in found["path"]] == [grown["replay"], grown["graft"]]
    assert found["path"][0]["gain"] is None
    assert found["path"][1]["gain"] == {"mean": 0.3, "lower": 0.29, "upper": 0.31}


def cambrian(path: Path, *arguments: str) -> list[str]:
    """The command line as a process, on an archive."""
    return [sys.executable, "-m", "cambrian", *arguments, "--archive", str(path)]


@dataclass(frozen=True)
class Stopped:
    """A run on its first evaluations that got two SIGINT."""

    path: Path
    code: int
    said: str


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    path = tmp_path_factory.mktemp("run") / "stopped"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CAMBRIAN_")}
    environment = {**clean, "PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(
        cambrian(path, "run", "--sandbox", "none"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _until(lambda: _leased(path) > 0)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    return Stopped(path, process.returncode, said)


@pytest.mark.slow
def test_ctrl_c_twice_stops_a_run_at_once_and_says_how_to_go_on(
    stopped: Stopped, read_json: ReadJson
) -> None:
    assert stopped.code == 130, stopped.said
    assert "the same command continues" in stopped.said
    assert "Traceback" not in stopped.said
    found = read_json("status", "--archive", str(stopped.path))
    assert (found["state"], found["running"]) == ("stopped", None)


@pytest.mark.slow
def test_an_archive_whose_run_was_stopped_at_once_passes_its_check(
    stopped: Stopped, read_json: ReadJson
) -> None:
    found = read_json("db", "check", "--archive", str(stopped.path))
    assert found["items"] == []


def _leased(path: Path) -> int:
    if not (path / "archive.db").is_file():
        return 0
    with contextlib.suppress(CambrianError), Archive.open(path, read_only=True) as archive:
        return int(archive.database.value("SELECT count(*) FROM jobs WHERE state = 'leased'"))
    return 0


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.2)


@pytest.mark.parametrize(
    "limit",
    [
        {"agents": 10},
        {"evaluations": 1000},
        {"cpu_hours": 1.0},
        {"hours": 1.0},
        {"rewriter": "model", "model": "m", "tokens": 10**6},
        {"rewriter": "model", "model": "m", "dollars": 5.0, "price": "3,15"},
    ],
)
def test_every_limit_can_be_planned_for(tmp_path: Path, limit: dict[str, Any]) -> None:
    settings = settings_of(limit)
    text = "\n".join(plan(tmp_path / "new", settings, control=False))
    assert "takes about" in text
    assert ("tokens, $" in text) == ("price" in limit)
