"""Real searches, paired by repeat: resumed at any kill, counted once, reported as they are."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.errors import CambrianError, NotFound, Refused, UsageError
from cambrian.evaluators.statistics import paired_difference
from cambrian.evolution.settings import Settings
from cambrian.experiments import ablation
from cambrian.experiments.ablation import Means, Plan, Result, ablate, cells, load
from cambrian.experiments.contrasts import area, markdown, report, value_at
from cambrian.experiments.outcomes import Reign, diversity
from cambrian.testing.workers import InstantWorker

PLAN = Plan("continual", judged=3)
WANTED = cells(["greedy", "random"], ["stepping-stones"], 2)


def search(home: Path, settings: Settings) -> str:
    options = Options(make_worker=InstantWorker)
    return supervisor.run(home, settings, lambda _: None, options=options).state


MEANS = Means(search, InstantWorker, lambda _: None, 2, "none")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Result]]:
    out = tmp_path_factory.mktemp("whole")
    return out, list(ablate(PLAN, WANTED, out, MEANS))


def test_each_search_is_an_archive_with_its_repeats_seed(
    whole: tuple[Path, list[Result]],
) -> None:
    out, results = whole
    assert [one.cell for one in results] == WANTED
    assert load(out) == results
    for one in results:
        with Archive.open(out / "runs" / one.cell.name, read_only=True) as archive:
            run = archive.runs.last()
            assert run is not None and run.seed == one.cell.repeat
            assert run.settings["selection"] == one.cell.strategy
            assert archive.counts()["judged"] == one.outcome.judged == 3
            champion = archive.champion()
            assert champion is not None and champion.id == one.outcome.reigns[-1].id
            looked_at = {reign.id for reign in one.outcome.reigns if reign.kind != "seed"}
            assert set(archive.evaluations.sealed_agents()) == looked_at
        assert len(one.outcome.fresh.seeds) == 9 and len(one.outcome.sealed.seeds) == 5


SCRIPT = """
import sys
from pathlib import Path
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.experiments.ablation import Means, Plan, ablate, cells
from cambrian.testing.workers import InstantWorker

def search(home, settings):
    options = Options(make_worker=InstantWorker)
    return supervisor.run(home, settings, lambda _: None, options=options).state

means = Means(search, InstantWorker, lambda _: None, 2, "none")
wanted = cells(["greedy", "random"], ["stepping-stones"], 1)
for _ in ablate(Plan("continual", judged=3), wanted, Path(sys.argv[1]), means, resume=True):
    pass
"""


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(["sealing.recorded:100", "run.ended:1"], id="while seeds and at its end"),
        pytest.param(["job.completed:9", "sealing.recorded:20"], id="in it and while sealing"),
    ],
)
def test_a_killed_ablation_goes_on_and_gives_the_same(
    whole: tuple[Path, list[Result]], tmp_path: Path, points: list[str]
) -> None:
    for point in points:
        killed = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            env={**os.environ, "CAMBRIAN_FAIL_POINT": point},
            check=False,
            capture_output=True,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    list(ablate(PLAN, WANTED[:2], tmp_path, MEANS, resume=True))
    before = [one for one in whole[1] if one.cell in WANTED[:2]]
    assert [one.outcome for one in load(tmp_path)] == [one.outcome for one in before]


def test_a_line_that_a_kill_cut_off_is_written_again(
    whole: tuple[Path, list[Result]], tmp_path: Path
) -> None:
    done = list(ablate(PLAN, WANTED[:1], tmp_path, MEANS))
    target = tmp_path / ablation.CELLS
    target.write_text(target.read_text("utf-8")[:-30], "utf-8")
    assert load(tmp_path) == []
    assert ablation.unfinished(tmp_path) == [(WANTED[0].name, 3)]
    again = list(ablate(PLAN, WANTED[:1], tmp_path, MEANS, resume=True))
    assert again == done == load(tmp_path)
    assert ablation.unfinished(tmp_path) == []
    assert not list(ablate(PLAN, WANTED[:1], tmp_path, MEANS, resume=True))


def test_a_stopped_search_ends_the_ablation_and_is_shown_as_unfinished(tmp_path: Path) -> None:
    calls: list[Path] = []

    def stopping(home: Path, settings: Settings) -> str:
        calls.append(home)
        return "stopped" if len(calls) == 3 else search(home, settings)

    means = Means(stopping, InstantWorker, lambda _: None, 2, "none")
    found = list(ablate(PLAN, WANTED[:2], tmp_path, means))
    assert [one.cell for one in found] == WANTED[:1]
    left = ablation.unfinished(tmp_path)
    assert left == [(WANTED[1].name, 0)]
    told = report(load(tmp_path), left)
    assert [one.repeats for one in told.summaries] == [1] and not told.contrasts
    assert f"Unfinished, and not counted: {WANTED[1].name} (0 judged)." in markdown(told)


def test_other_plans_other_code_and_no_resume_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = functools.partial(ablate, out=tmp_path, means=MEANS)
    list(run(PLAN, WANTED[:1]))
    with pytest.raises(Refused, match="--resume goes on"):
        list(run(PLAN, WANTED))
    with pytest.raises(Refused, match="judged: 3 before, 4 now"):
        list(run(Plan("continual", judged=4), WANTED, resume=True))
    monkeypatch.setattr(ablation, "code_version", lambda: "0" * 12)
    with pytest.raises(Refused, match="--other-code adds"):
        list(run(PLAN, WANTED[:1], resume=True))
    assert not list(run(PLAN, WANTED[:1], resume=True, other_code=True))
    with pytest.raises(UsageError, match="needs an end"):
        Plan("continual")


def test_missing_and_broken_results_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="expected an ablation in"):
        load(tmp_path)
    (tmp_path / ablation.CELLS).write_text('{"cell": 1}\n', "utf-8")
    with pytest.raises(CambrianError, match="expected a finished search in line 1"):
        load(tmp_path)


def test_differences_are_paired_by_repeat(whole: tuple[Path, list[Result]]) -> None:
    found = report(whole[1])
    (apart,) = found.contrasts
    assert (apart.one, apart.other, apart.repeats) == ("greedy", "random", 2)
    ends = {
        name: [one.outcome.sealed.mean for one in whole[1] if one.cell.strategy == name]
        for name in ("greedy", "random")
    }
    assert apart.apart["sealed"] == paired_difference(ends["greedy"], ends["random"])
    table = markdown(found)
    assert "| greedy − random |" in table and "| 2 |" in table
    assert json.loads(json.dumps(found.to_json()))["kind"] == "ablation"
    assert found.threshold == max(whole[1][0].outcome.seeds.values())


def test_a_curve_is_a_step_at_each_champion() -> None:
    reigns = [
        Reign("a", 1, "a", "seed", 0, 0, 0.0, 0.5, 0.4, 0.2),
        Reign("b", 2, "b", "improvement", 4, 40, 8.0, 0.6, 0.5, 0.6),
    ]
    assert [value_at(reigns, "judged", x) for x in (0, 3, 4, 9)] == [0.2, 0.2, 0.6, 0.6]
    assert area(reigns, "judged", 8) == pytest.approx(0.4)
    assert area(reigns, "cpu_s", 8.0) == pytest.approx(0.2)
    assert area(reigns, "evaluations", 0) == 0.6


def test_diversity_is_the_share_of_files_that_differ() -> None:
    one, other = {"a": "1", "b": "2"}, {"a": "1", "b": "3"}
    assert diversity([one]) == diversity([one, one]) == 0
    assert diversity([one, other]) == pytest.approx(2 / 3)
