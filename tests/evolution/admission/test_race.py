"""Seeds raced between a variant and its parent: more of them where that may show something."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
import pytest

from cambrian.archive import Archive, Gate
from cambrian.archive.transfer.check import check
from cambrian.daemon.supervisor import prepare
from cambrian.evaluators.statistics import RACE
from cambrian.evolution.admission.results import RACE_SEEDS, Result, Results
from cambrian.evolution.admission.rules import improvement, more_seeds
from cambrian.evolution.admission.thresholds import Rules
from cambrian.evolution.budget import evaluations_per_variant
from cambrian.evolution.changing import differences
from cambrian.evolution.loop import Loop
from cambrian.evolution.selection.selection import Selection
from cambrian.evolution.settings import Settings
from cambrian.measurement import Measurement, Unit
from cambrian.testing.instant_run import BENCHMARKS, picture
from cambrian.testing.workers import InstantWorker

RULES = Rules(seeds="raced")
ONE = ("split-mnist",)
SETTINGS = Settings(seed=9, proposals=10, benchmarks=BENCHMARKS, rules=RULES)


def agent(scores: Sequence[float]) -> Results:
    values = {"min_accuracy": 0.5, "forgetting": 0.1}
    pairs = zip(RACE_SEEDS, scores, strict=False)
    return Results(Result(ONE[0], seed, score, values, 10**9) for seed, score in pairs)


PARENT = agent([0.4] * 14)
UNCERTAIN = [0.5, 0.35, 0.52, 0.38, 0.49]
STEADY = [0.50, 0.51, 0.49, 0.505, 0.495]


def test_an_uncertain_gain_gets_more_seeds_and_a_clear_one_or_a_loss_none() -> None:
    assert more_seeds(agent(UNCERTAIN), PARENT, ONE, RULES) == RACE.looks[1]
    assert more_seeds(agent(STEADY), PARENT, ONE, RULES) is None
    assert more_seeds(agent([0.3, 0.42, 0.35, 0.4, 0.38]), PARENT, ONE, RULES) is None
    assert more_seeds(agent(UNCERTAIN), PARENT, ONE, Rules()) is None


def test_the_gate_says_at_which_look_and_how_sure() -> None:
    later = agent([*UNCERTAIN, *[0.5, 0.51, 0.52, 0.5]])
    found = improvement(later, PARENT, ONE, RULES)
    assert "one-sided 99.4% t bound over 9 seeds, look 2 of 3" in found.rule
    assert found.verdict == ("pass" if (found.lower or 0) > 0 else "fail")
    first = improvement(agent(STEADY), PARENT, ONE, RULES)
    assert "5 seeds, look 1 of 3" in first.rule
    assert first.verdict == "pass"


def test_seeds_that_only_one_of_a_pair_has_do_not_count() -> None:
    pair = agent([*UNCERTAIN, *[9.0] * 9]), agent([0.4] * 5)
    assert len(pair[0].raced(pair[1], ONE)) == 5


def grow(path: Path, workers: int, make_worker: type[InstantWorker] = InstantWorker) -> None:
    with Archive.open_or_create(path) as archive, archive.lock():
        prepare(archive)
        row = archive.runs.start(SETTINGS.seed, SETTINGS.to_json(), 10)
        given = Settings(**{**vars(SETTINGS), "workers": workers})
        loop = Loop(
            archive, row, given, lambda _: None, path / "logs", functools.partial(make_worker)
        )
        archive.runs.end(row.id, anyio.run(loop.run))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raced") / "archive"
    grow(path, 1)
    return path


def test_a_raced_run_gives_the_same_tree_with_any_number_of_workers(
    grown: Path, tmp_path: Path
) -> None:
    grow(tmp_path / "archive", 3)
    assert picture(tmp_path / "archive") == picture(grown)


def test_some_were_raced_with_their_parents_and_nobody_needlessly(grown: Path) -> None:
    with Archive.open(grown, read_only=True) as archive:
        rules = [g.rule for p in range(10) for g in gates_of(archive, p) if g.gate == "improvement"]
        looks = {look for look in (1, 2, 3) if any(f"look {look} of 3" in r for r in rules)}
        assert len(looks) > 1, "expected some races to be decided early and some late"
        raced = archive.database.rows(
            "SELECT agent_id, max(seed) AS last FROM evaluations WHERE stage = 'race' GROUP BY 1"
        )
        assert {row["last"] for row in raced} <= {8, 13}
        for row in raced:  # a champion's score is of the same five seeds as everybody's
            assert archive.agents.get(row["agent_id"]).score is not None


def gates_of(archive: Archive, index: int) -> Sequence[Gate]:
    proposal = archive.proposals.at(index)
    return archive.gates(proposal_id=proposal.id) if proposal else []


class FailsLate(InstantWorker):
    """Seed agents fail on seed 6, which only a race asks for."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        async for one in super().evaluate(agent_id, files, units, device):
            if one.unit.seed == 6 and not any(path.startswith("parts/") for path in files):
                yield Measurement.on(
                    one.unit, "failed", one.version, cause="exception", reason="late"
                )
                return
            yield one


def test_a_parent_that_fails_on_a_new_seed_ends_the_race_and_stalls_nothing(
    tmp_path: Path,
) -> None:
    grow(tmp_path / "archive", 2, FailsLate)
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        assert archive.proposals.undecided() == []
        counts = archive.counts()
    assert counts["proposals"] == 10


class SlowLate(InstantWorker):
    """Seed agents take too long on what only a race asks for."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        async for one in super().evaluate(agent_id, files, units, device):
            if one.unit.stage == "race" and not any(path.startswith("parts/") for path in files):
                yield Measurement.on(
                    one.unit, "failed", one.version, cause="timeout", reason="late"
                )
                return
            yield one


def test_a_parent_that_takes_too_long_on_a_new_seed_ends_the_race_too(tmp_path: Path) -> None:
    grow(tmp_path / "archive", 2, SlowLate)
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        assert archive.proposals.undecided() == []
        assert archive.counts()["proposals"] == 10


def test_selection_sees_the_same_whether_it_was_loaded_before_a_parents_failure_or_after(
    tmp_path: Path,
) -> None:
    """A parent fails in a race after it was decided: when, depends on the workers."""
    grow(tmp_path / "archive", 1)
    with Archive.open(tmp_path / "archive") as archive:
        through = archive.proposals.decided_through()
        kept = Selection(archive, "clade")
        before = [kept.draw(through, 2, np.random.default_rng(n)) for n in range(20)]
        for seed in archive.agents.seeds():
            one = archive.evaluations.record_of(archive.evaluations.of(seed.id, "full")[0])
            late = replace(one, stage="race", seed=99, verdict="failed", score=None)
            archive.evaluations.record(seed.id, late)
        loaded = Selection(archive, "clade")
        for selection in (kept, loaded):
            drawn = [selection.draw(through, 2, np.random.default_rng(n)) for n in range(20)]
            assert drawn == before
        assert not [found for found in check(archive) if found.kind == "clade counts"]


def test_the_most_that_a_variant_may_cost_counts_the_race_and_its_parents_share() -> None:
    fixed = evaluations_per_variant(BENCHMARKS)
    raced = evaluations_per_variant(BENCHMARKS, raced=True)
    assert raced == fixed + 2 * 9 * len(BENCHMARKS)


def test_a_run_begun_before_there_were_races_may_go_on() -> None:
    now = Settings(proposals=1, benchmarks=BENCHMARKS)
    before = now.to_json()
    before["benchmarks"] = list(before["benchmarks"])
    del before["rules"]["seeds"]
    assert differences(before, now) == []
    assert differences(before, Settings(proposals=1, benchmarks=BENCHMARKS, rules=RULES))
