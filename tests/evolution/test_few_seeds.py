"""A suite with few seeds of many benchmarks, through the loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.evolution.running import settings

from cambrian.archive import Archive
from cambrian.archive.transfer.check import check
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.statistics.families import mean_of_families, mean_over_families
from cambrian.evaluators.suites import suite
from cambrian.evolution.admission.leaving import CHANCE, Leaving
from cambrian.evolution.admission.records import results_of, search_seeds, units
from cambrian.evolution.admission.thresholds import Rules
from cambrian.evolution.budget import evaluations_per_variant
from cambrian.evolution.plateau import largest_gain, look
from cambrian.suite import USUAL_SEEDS, Entry, Suite
from cambrian.testing.instant_run import grow, picture
from cambrian.testing.workers import InstantWorker

NAMES = (
    *("split-mnist", "digit-sums", "label-drift", "split-fashion", "blurry-digits"),
    *("sea-drift", "permuted-mnist", "rotated-mnist"),
)
SHARES = [1 / len(NAMES)] * len(NAMES)
ENTRIES = tuple(Entry(name, benchmark(name).version) for name in NAMES)
TWO, FIVE = Suite("two", ENTRIES, 2), Suite("five", ENTRIES)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("few") / "archive"
    grow(path, settings(proposals=40, benchmarks=NAMES), suite=TWO)
    return path


def test_every_agent_is_judged_on_two_seeds_of_each_and_no_more(grown: Path) -> None:
    with Archive.open(grown, read_only=True) as archive:
        assert search_seeds(archive) == (0, 1)
        assert check(archive) == []
        members = archive.members()
        assert sum(archive.agents.get(m.agent_id).status == "admitted" for m in members) > 3
        for member in members:
            rows = archive.evaluations.of(member.agent_id)
            ran = [(row.benchmark, row.seed) for row in rows if row.stage in ("screen", "full")]
            assert sorted(ran) == sorted((name, seed) for name in NAMES for seed in (0, 1))
            agent = archive.agents.get(member.agent_id)
            table = results_of(archive, agent.id).table(NAMES, (0, 1))
            wanted = mean_of_families(table, SHARES)
            assert (agent.score, agent.lower) == pytest.approx((wanted.mean, wanted.lower))
        assert len(units(archive, "full", NAMES)) == len(NAMES)


def test_gates_say_of_what_their_interval_is(grown: Path) -> None:
    with Archive.open(grown, read_only=True) as archive:
        judged = [p for p in archive.proposals.select() if p.state == "admitted"]
        for proposal in judged:
            gates = {gate.gate: gate for gate in archive.gates(proposal_id=proposal.id)}
            assert "over 8 benchmarks of 2 seeds each" in gates["improvement"].rule
            mine, its = (
                results_of(archive, one).table(NAMES, (0, 1))
                for one in (str(proposal.agent_id), proposal.parents[0])
            )
            wanted = mean_over_families(mine - its, SHARES, Rules().confidence)
            assert gates["improvement"].lower == pytest.approx(wanted.lower)


def test_the_tree_does_not_depend_on_the_workers(grown: Path, tmp_path: Path) -> None:
    three = settings(proposals=40, benchmarks=NAMES, workers=3)
    grow(tmp_path / "a", three, suite=TWO)
    assert picture(grown) == picture(tmp_path / "a")


def test_a_run_without_gains_is_not_called_rising_by_a_lucky_stream(grown: Path) -> None:
    with Archive.open(grown, read_only=True) as archive:
        run = archive.runs.last()
        assert run is not None and look(archive, run).judged >= 30
        assert look(archive, run).gain is not None
    shares = [1 / 15] * 15
    lucky = np.zeros((1, 15))
    lucky[0, 3] = 1.5
    assert not largest_gain(lucky, 30, shares)[1]
    assert largest_gain(np.full((1, 15), 0.1), 30, shares)[1]
    nulls = np.random.default_rng(0).normal(0, 0.1, (2000, 15))
    windows = [largest_gain(nulls[at : at + 10], 10, shares)[1] for at in range(0, 2000, 10)]
    assert np.mean(windows) <= 0.08  # 5 %, and two standard errors of 200 windows


def test_the_number_of_seeds_makes_another_suite() -> None:
    assert TWO.hash != FIVE.hash == Suite("", ENTRIES, USUAL_SEEDS).hash
    assert Suite.from_json(TWO.to_json()) == TWO and "seeds" not in FIVE.to_json()
    assert suite("general").seeds == 2 and suite("continual").seeds == USUAL_SEEDS
    with pytest.raises(UsageError, match="expected 2 to 5 seeds"):
        Suite("one", ENTRIES, 1)
    assert evaluations_per_variant(NAMES, seeds=2) == 3 * len(NAMES)


def test_seeds_are_not_raced_in_a_suite_that_has_few(tmp_path: Path) -> None:
    raced = settings(sandbox="none", suite="general", rules=Rules(seeds="raced"))
    options = Options(make_worker=InstantWorker)
    with pytest.raises(UsageError, match="leave --seeds raced out"):
        supervisor.run(tmp_path / "a", raced, lambda _: None, options=options)


def test_losers_leave_on_the_first_families_and_at_the_same_look_when_judged_again(
    grown: Path,
) -> None:
    early = 0
    with Archive.open(grown, read_only=True) as archive:
        rule = Leaving(archive, NAMES, Rules(), settings().admission)  # that of the run
        for proposal in archive.proposals.select():
            if proposal.state not in ("admitted", "rejected"):
                continue
            child = results_of(archive, str(proposal.agent_id))
            left = rule.leaves_after(proposal, child, results_of(archive, proposal.parents[0]))
            if not str(proposal.reason).startswith("rejected early"):
                assert left is None and len(child) == 2 * len(NAMES)
                continue
            early += 1
            assert left is not None and len(NAMES) <= left <= len(child)
            failed = [g for g in archive.gates(proposal_id=proposal.id) if g.verdict == "fail"]
            assert "the chance is" in failed[0].detail and failed[0].rule == CHANCE
    assert early > 1
