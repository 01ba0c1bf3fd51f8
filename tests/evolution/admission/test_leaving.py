"""A variant leaves as soon as it can hardly be admitted, whoever runs what when."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import anyio
import pytest
from tests.evolution.running import SEEDS, run_with, settings

from cambrian.archive import Archive, Proposal
from cambrian.daemon.supervisor import prepare
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.calibration import calibration
from cambrian.evolution.admission.leaving import CAREFUL, Leaving
from cambrian.evolution.admission.records import results_of, tried_on, units
from cambrian.evolution.admission.results import Result, Results
from cambrian.evolution.admission.thresholds import AdmissionName, Rules
from cambrian.evolution.loop import Loop
from cambrian.evolution.settings import Settings
from cambrian.evolution.timing import Timing
from cambrian.measurement import Measurement, Unit
from cambrian.testing.forked_runs import sound
from cambrian.testing.instant_run import BENCHMARKS, picture
from cambrian.testing.workers import InstantWorker, judged, quick

ALL = 5 * len(BENCHMARKS)


class Spread(InstantWorker):
    """Every third variant is far below its parent, every third a little, and the rest is level."""

    chance: ClassVar[random.Random | None] = None

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        digest = hashlib.sha256("".join(sorted(files.values())).encode()).digest()
        fall = 0.0 if agent_id in SEEDS else (0.0, 0.1, 0.6)[digest[3] % 3]
        for unit in units:
            await anyio.sleep(self.chance.uniform(0, 0.005) if self.chance else 0)
            found = judged(files, unit, 0.5)
            score = (found.score or 0.0) - fall
            yield replace(found, score=score, raw=score)


class Shaken(Spread):
    chance = random.Random(1)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("leaving") / "a"
    run_with(home, Spread, workers=1)
    return home


def variants(archive: Archive) -> list[Proposal]:
    return [p for p in archive.proposals.select() if p.state in ("admitted", "rejected")]


def test_those_far_below_leave_and_what_sends_them_away_is_a_gate(usual: Path) -> None:
    early = 0
    with Archive.open(usual, read_only=True) as archive:
        for proposal in variants(archive):
            rows = [r for r in archive.evaluations.of(str(proposal.agent_id)) if r.stage != "smoke"]
            gates = {gate.gate: gate for gate in archive.gates(proposal_id=proposal.id)}
            if not str(proposal.reason).startswith("rejected early"):
                assert len(rows) == ALL and gates["screen"].verdict == "pass"
                continue
            early += 1
            gate = gates["outlook" if "outlook" in gates else "screen"]
            assert gate.verdict == "fail" and proposal.state == "rejected"
            assert gate.value is not None and gate.threshold is not None
            assert gate.value < gate.threshold <= 0
            assert f"after {len(rows)} of {ALL} units" in str(gate.detail)
    assert early, "some fall far below"
    assert sound(usual) == []


@pytest.mark.parametrize("workers", [2, 4])
def test_the_tree_does_not_depend_on_the_workers(usual: Path, tmp_path: Path, workers: int) -> None:
    run_with(tmp_path / "a", Shaken, workers=workers)
    assert picture(tmp_path / "a") == picture(usual)


def test_nor_on_where_it_was_interrupted(usual: Path, tmp_path: Path) -> None:
    home, stops, given = tmp_path / "a", 0, settings()
    while stops < 200:
        with Archive.open_or_create(home) as archive, archive.lock():
            prepare(archive)
            row = archive.runs.current() or archive.runs.start(3, given.to_json(), 14)
            if _interrupted(archive, given, home, quick(0.001)) == "finished":
                archive.runs.end(row.id, "finished")
                break
            stops += 1
    assert stops > 2
    assert picture(home) == picture(usual)


def _interrupted(archive: Archive, given: Settings, home: Path, timing: Timing) -> str:
    """Run until a few evaluations were made, then drop all that is under way."""
    row, left = archive.runs.current(), [50]
    assert row is not None
    loops: list[Loop] = []

    class Stopping(Spread):
        async def evaluate(
            self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
        ) -> AsyncIterator[Measurement]:
            async for one in super().evaluate(agent_id, files, units, device):
                yield one
                left[0] -= 1
                if left[0] == 0:
                    loops[0].halt("now")

    loops.append(Loop(archive, row, given, lambda _: None, home / "l", Stopping, timing=timing))
    return anyio.run(loops[0].run)


@pytest.mark.parametrize(
    ("admission", "thresholds"),
    [("keep-all", Rules()), ("stepping-stones", Rules(leaving=False))],
)
def test_where_it_is_off_everything_is_run(
    admission: AdmissionName, thresholds: Rules, tmp_path: Path
) -> None:
    run_with(tmp_path / "a", Spread, proposals=6, admission=admission, rules=thresholds)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        for proposal in variants(archive):
            rows = archive.evaluations.of(str(proposal.agent_id))
            assert len([row for row in rows if row.stage != "smoke"]) == ALL
            if admission == "keep-all":
                assert proposal.state == "admitted"


def test_what_is_recorded_beyond_a_look_changes_nothing(usual: Path) -> None:
    """A decision is one of the first units, in the order of the agent."""
    with Archive.open(usual, read_only=True) as archive:
        rule = Leaving(archive, BENCHMARKS, Rules(), "stepping-stones")
        for proposal in variants(archive):
            child, parent = (
                results_of(archive, one) for one in (str(proposal.agent_id), proposal.parents[0])
            )
            after = rule.leaves_after(proposal, child, parent)
            if after is None:
                continue
            known = {(u.benchmark, u.seed) for u in rule.units(proposal.idx)[:after]}
            later = [
                Result(u.benchmark, u.seed, 9.0, {}, 0)
                for u in rule.units(proposal.idx)
                if (u.benchmark, u.seed) not in known
            ]
            seen = [Result(b, s, child.score(b, s), {}, 0) for b, s in known]
            assert rule.leaves_after(proposal, Results([*seen, *later]), parent) == after
            assert rule.leaves_after(proposal, Results(seen[:-1]), parent) is None


def test_cheap_benchmarks_come_first_and_neighbours_take_turns(usual: Path) -> None:
    with Archive.open(usual, read_only=True) as archive:
        rule = Leaving(archive, BENCHMARKS, Rules(), "better")
        assert rule.order(0) == ("split-mnist", "label-drift", "digit-sums")
        assert rule.order(1) == ("label-drift", "split-mnist", "digit-sums")
        assert [unit.seed for unit in rule.units(1)] == [s for s in range(5) for _ in BENCHMARKS]


def test_a_stricter_rule_sends_away_more(usual: Path) -> None:
    names: tuple[AdmissionName, ...] = ("better", "not-worse", "stepping-stones")
    with Archive.open(usual, read_only=True) as archive:
        left = []
        for name in names:
            rule = Leaving(archive, BENCHMARKS, Rules(), name)
            found = [
                rule.gate(
                    p, results_of(archive, str(p.agent_id)), results_of(archive, p.parents[0])
                )
                for p in variants(archive)
            ]
            left.append({at for at, gate in enumerate(found) if gate is not None})
    assert left[0] >= left[1] >= left[2]


class Growing(Spread):
    """With every part the stream costs a third of the allowance more, and no bound is held."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        for unit in units:
            await anyio.sleep(0)
            most = calibration(benchmark(unit.benchmark)).flops_allowed
            times = 1 + 2 * len([path for path in files if path.startswith("parts/")])
            whole = int(most * times / 6)
            used = whole // 10 if unit.stage == "smoke" else whole
            yield replace(judged(files, unit, 0.5), flops=used)


def test_what_will_be_over_its_allowance_is_told_so_before_the_screen(tmp_path: Path) -> None:
    run_with(tmp_path / "a", Growing, proposals=20, admission="keep-all")
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        told = 0
        for proposal in variants(archive):
            rows = archive.evaluations.of(str(proposal.agent_id))
            over = max(
                10 * (row.flops or 0) / calibration(benchmark(row.benchmark)).flops_allowed
                for row in rows
                if row.stage == "smoke"
            )
            gates = {gate.gate: gate for gate in archive.gates(proposal_id=proposal.id)}
            parent = archive.agents.get(proposal.parents[0])
            if "forecast" not in gates:
                assert parent.status == "seed" or over * CAREFUL <= 1
                continue
            told += 1
            assert proposal.reason == "rejected early: forecast"
            assert {row.stage for row in rows} == {"smoke"}
            assert gates["forecast"].value == pytest.approx(CAREFUL * over, rel=1e-3)
        assert told, "some grow over it"
    assert sound(tmp_path / "a") == []


def test_the_smoke_stage_tries_the_cheapest_of_each_kind(usual: Path) -> None:
    assert set(tried_on(BENCHMARKS)) == set(BENCHMARKS)
    many = ("digit-sums", "split-fashion", "split-mnist", "sinusoids", "label-drift", "sea-drift")
    tried = tried_on(many)
    assert "sinusoids" in tried, "it alone asks for values"
    assert len(tried) == 3 and [name for name in many if name in tried] == list(tried)
    with Archive.open(usual, read_only=True) as archive:
        assert {unit.benchmark for unit in units(archive, "smoke", many)} == set(tried)
        assert {unit.benchmark for unit in units(archive, "screen", many)} == set(many)


def test_a_race_looks_ahead_over_all_the_seeds_that_it_may_run(usual: Path) -> None:
    """What the mean of five seeds can no longer come to, that of fourteen still can."""
    with Archive.open(usual, read_only=True) as archive:
        proposal = variants(archive)[0]
        looks = {
            seeds: Leaving(archive, BENCHMARKS, Rules(seeds=seeds), "better")
            for seeds in ("fixed", "raced")
        }

        def of(scores: float) -> Results:
            named = [(name, seed) for name in BENCHMARKS for seed in range(5)]
            return Results(Result(name, seed, scores, {}, 1) for name, seed in named)

        passed = {
            seeds: one.passed(proposal, of(0.5), of(0.55)).upper for seeds, one in looks.items()
        }
        assert passed["fixed"] is not None and passed["raced"] is not None
        assert passed["raced"] > passed["fixed"]
