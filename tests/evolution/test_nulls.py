"""Null controls run in every run, change nothing that it decides, and say what they should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.running import run_with, settings

from cambrian.archive import Archive
from cambrian.archive.transfer.check import check
from cambrian.errors import SandboxBroken
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.chance import learner_seed
from cambrian.evolution import nulls
from cambrian.evolution.nulls import EVERY, FIRST, NullControls
from cambrian.measurement import Measurement, Unit
from cambrian.reports.nulls import null_controls
from cambrian.suite import Entry, Suite
from cambrian.testing.instant_run import BENCHMARKS, grow, picture
from cambrian.testing.workers import InstantWorker, quick

PROPOSALS = 6


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs with proposals 3, 7, 11."""
    monkeypatch.setattr(nulls, "EVERY", 4)
    monkeypatch.setattr(nulls, "FIRST", 3)


def ran(path: Path, worker: type[InstantWorker] = InstantWorker, **changes: Any) -> dict[str, Any]:
    """What the twins of a run say."""
    run_with(path, worker, **{"proposals": PROPOSALS, "timing": quick(), **changes})
    with Archive.open(path) as archive:
        assert check(archive) == []
        return null_controls(archive)


def test_a_pair_of_twins_is_judged_and_changes_nothing_that_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ran(tmp_path / "with")
    assert found["waiting"] == found["broken"] == 0
    assert found["identical"] == {"judged": 1, "evaluations": 3, "differ": []}
    (twin,) = found["random_stream"]["twins"]
    assert (twin["proposal"], twin["offset"]) == (3, 4)
    assert found["evaluations"] == 3 + 15
    monkeypatch.setattr(nulls, "FIRST", 5)  # never due
    assert ran(tmp_path / "without")["evaluations"] == 0
    assert picture(tmp_path / "with") == picture(tmp_path / "without")


def test_twins_are_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    one, other = (ran(tmp_path / f"{n}", workers=n) for n in (1, 3))
    assert one == other


def test_twins_take_about_a_twentieth_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nulls, "EVERY", EVERY)
    monkeypatch.setattr(nulls, "FIRST", FIRST)
    found = ran(tmp_path / "home", proposals=EVERY)
    assert found["evaluations"] == 18
    assert found["share"] < 0.06


class Restless(InstantWorker):
    """A host on which a twin does not come out the same."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        async for one in super().evaluate(agent_id, files, units, device):
            shift = 1e-12 if agent_id.startswith("null-") and not units[0].offset else 0.0
            yield replace(one, score=(one.score or 0.0) + shift)


def test_a_host_that_does_not_repeat_itself_is_betrayed(tmp_path: Path) -> None:
    same = ran(tmp_path / "home", Restless)["identical"]
    assert [one["by"] for one in same["differ"]] == [["score"]] * 3


class Lucky(InstantWorker):
    """A rule under which another seed always helps."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        async for one in super().evaluate(agent_id, files, units, device):
            yield replace(one, score=(one.score or 0.0) + (0.3 if units[0].offset else 0.0))


def test_luck_that_passes_for_a_gain_is_counted_with_its_interval(tmp_path: Path) -> None:
    found = ran(tmp_path / "home", Lucky, proposals=12)["random_stream"]
    assert (found["judged"], found["better"], found["rate"]) == (3, 3, 1.0)
    assert found["alpha"] == 0.05
    assert found["lower"] == pytest.approx(0.025 ** (1 / 3))  # Clopper and Pearson at n of n
    assert found["above_alpha"]
    twin = found["twins"][0]["difference"]
    assert twin["mean"] == pytest.approx(0.3, abs=0.02)


class Broken(InstantWorker):
    """A machine that breaks on twins only."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        if agent_id.startswith("null-"):
            raise SandboxBroken("not for twins")
        async for one in super().evaluate(agent_id, files, units, device):
            yield one


def test_a_twin_on_which_the_machine_breaks_holds_nothing_up(tmp_path: Path) -> None:
    found = ran(tmp_path / "home", Broken)
    assert (found["broken"], found["waiting"], found["identical"]["judged"]) == (2, 0, 0)


def test_a_twin_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    ran(tmp_path / "home")
    with Archive.open(tmp_path / "home") as archive:
        null = next(one for one in archive.nulls.all() if one.kind == "random-stream")
        controls = NullControls(archive, null.run_id, settings())
        assert controls.left(null) == []
        gone = archive.nulls.evaluations(null.id)[4]
        assert gone.provenance["learner_offset"] == null.offset
        archive.database.execute(
            "DELETE FROM null_evaluations WHERE benchmark = ? AND stage = ? AND seed = ?",
            (gone.benchmark, gone.stage, gone.seed),
        )
        left = Unit(gone.benchmark, gone.stage, gone.seed, null.offset)
        assert controls.left(null) == [left]
        again = archive.nulls.open(
            "random-stream",
            run_id=null.run_id,
            idx=null.idx,
            agent_id=null.agent_id,
            offset=null.offset,
            units=null.units,
        )
        assert again == null


def test_a_twin_is_compared_by_the_weights_of_the_suite(tmp_path: Path) -> None:
    """One with its member's very results differs by nothing, whatever streams count for."""
    weighed = tuple(
        Entry(name, benchmark(name).version, weight)
        for name, weight in zip(BENCHMARKS, (1.0, 3.0, 0.5), strict=True)
    )
    path = tmp_path / "home"
    grow(path, settings(proposals=PROPOSALS), suite=Suite("weighted", weighed))
    with Archive.open(path) as archive:
        archive.database.execute(
            "UPDATE null_evaluations SET score = (SELECT e.score FROM evaluations e "
            "JOIN nulls n ON n.id = null_id WHERE e.agent_id = n.agent_id "
            "AND e.benchmark = null_evaluations.benchmark AND e.stage = null_evaluations.stage "
            "AND e.seed = null_evaluations.seed)"
        )
        (twin,) = null_controls(archive)["random_stream"]["twins"]
        assert twin["difference"] == {"mean": 0.0, "lower": 0.0, "upper": 0.0}
        assert not twin["better"]


def test_an_offset_moves_the_learners_seed_and_none_leaves_it() -> None:
    assert learner_seed("split-mnist", "full", 1) == 4245499429  # as before there were any
    seeds = {learner_seed("split-mnist", "full", 1, offset) for offset in range(50)}
    assert len(seeds) == 50
