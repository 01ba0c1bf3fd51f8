"""Members of one suite, judged by another: compared only then, nothing run twice, nothing decided
again."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evolution.test_suites import FIRST, SECOND, parents, run

from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.suites import KeptSuite
from cambrian.archive.transfer.check import check
from cambrian.errors import NotFound, Refused, SandboxBroken, UsageError
from cambrian.evaluators.suites import suite
from cambrian.evolution import rescoring
from cambrian.evolution.rescoring import Rescored
from cambrian.measurement import Measurement, Unit
from cambrian.reports.run import path_from_seed
from cambrian.suite import Suite
from cambrian.testing.workers import InstantWorker, judged, quick

PER_AGENT = 5 * len(set(SECOND) - set(FIRST))
"""What both suites have at the same version need not be run again."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, each with a suite of its own; the second is the current one."""
    path = tmp_path_factory.mktemp("rescoring") / "archive"
    rule = "better"  # rejects some of few
    assert run(path, benchmarks=FIRST, admission=rule) == "finished"
    assert run(path, benchmarks=SECOND, proposals=1, admission=rule) == "finished"
    return path


@pytest.fixture
def home(both: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(both, tmp_path / "archive"))


@pytest.fixture
def archive(home: Path) -> Iterator[Archive]:
    with Archive.open(home) as opened:
        yield opened


def kept(archive: Archive) -> KeptSuite:
    now = archive.suites.current()
    assert now is not None
    return now


def rescore(
    archive: Archive,
    *agents: str,
    make_worker: type[InstantWorker] = InstantWorker,
    limit: int | None = None,
) -> Rescored:
    return rescoring.rescore(
        archive, agents, make_worker, lambda _: None, limit=limit, timing=quick()
    )


def test_members_of_the_other_suite_get_a_score_in_this_one_and_keep_theirs(
    archive: Archive,
) -> None:
    first, second = archive.suites.all()
    before = archive.suites.leaderboard(first.id)
    wanted = rescoring.members(archive, second)
    assert wanted
    assert not set(wanted) & {row["id"] for row in archive.suites.leaderboard(second.id)}
    found = rescore(archive, *wanted)
    assert found.evaluations == PER_AGENT * len(wanted)
    assert [agent.id for agent in found.scored] == wanted
    assert (found.failed, found.waiting) == ([], [])
    assert archive.suites.leaderboard(first.id) == before
    here = {row["id"]: row for row in archive.suites.leaderboard(second.id)}
    assert set(wanted) <= set(here)
    assert set(here[wanted[0]]["vector"]) == set(SECOND)
    assert rescoring.members(archive, second) == []
    assert check(archive) == []


def test_the_champion_is_the_best_of_all_that_were_judged_by_the_suite(archive: Archive) -> None:
    second, before = kept(archive), archive.champion()
    rescore(archive, *rescoring.members(archive, second))
    champion = archive.champion()
    assert champion is not None
    assert champion != before, "a member of the first run is better"
    assert Lineage(archive).verify() == [], "HEAD is the champion"
    assert champion.id == archive.suites.leaderboard(second.id, 1)[0]["id"]
    lowest = [agent.lower for agent in archive.agents.select() if agent.lower is not None]
    assert champion.lower == max(lowest)


def test_the_champions_of_other_suites_are_found_once(archive: Archive) -> None:
    first, second = archive.suites.all()
    best = archive.suites.leaderboard(first.id, 1)[0]["id"]
    found = rescoring.champions(archive, second)
    assert found == ([best] if best in rescoring.members(archive, second) else [])
    assert found, "the first run's champion is no seed agent"
    rescore(archive, *found)
    assert rescoring.champions(archive, second) == []


def test_what_was_run_is_not_run_again(archive: Archive) -> None:
    one = rescoring.members(archive, kept(archive))[0]
    assert rescore(archive, one, one).evaluations == PER_AGENT
    scored = archive.counts()["evaluations_scored"]
    again = rescore(archive, one)
    assert (again.evaluations, again.scored) == (0, [])
    assert archive.counts()["evaluations_scored"] == scored


class DiesHalfWay(InstantWorker):
    """Breaks after one evaluation, every time."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        yield judged(files, units[0])
        raise SandboxBroken("gone")


def test_one_that_was_interrupted_goes_on_where_it_was(archive: Archive) -> None:
    one = rescoring.members(archive, kept(archive))[0]
    known = len(archive.evaluations.of(one))
    with pytest.raises(SandboxBroken, match="gone"):
        rescore(archive, one, make_worker=DiesHalfWay)
    begun = len(archive.evaluations.of(one)) - known
    assert 0 < begun < PER_AGENT
    assert archive.agents.get(one).score is None
    assert check(archive) == []
    found = rescore(archive, one)
    assert found.evaluations == PER_AGENT - begun
    assert [agent.id for agent in found.scored] == [one]
    assert check(archive) == []


def test_all_run_and_killed_before_the_score_was_set_is_scored_without_a_run(
    archive: Archive,
) -> None:
    one = rescoring.members(archive, kept(archive))[0]
    files = archive.agents.files(one)
    for unit in rescoring.lacking(archive, one, kept(archive)):
        archive.evaluations.record(one, judged(files, unit))
    found = rescore(archive, one)
    assert (found.evaluations, [agent.id for agent in found.scored]) == (0, [one])
    assert check(archive) == []


class Fails(InstantWorker):
    """Fails on the second unit, and stops there, as a worker does."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        yield judged(files, units[0])
        version = judged(files, units[1]).version
        yield Measurement.on(units[1], "failed", version, cause="exception", reason="late\nand so")


def test_one_that_fails_here_gets_no_score_is_named_and_not_tried_again(archive: Archive) -> None:
    one = rescoring.members(archive, kept(archive))[0]
    found = rescore(archive, one, make_worker=Fails)
    assert found.scored == []
    [(agent, row)] = found.failed
    assert (agent.id, row.reason.splitlines()[0]) == (one, "exception: late")
    again = rescore(archive, one)
    assert again.evaluations == 0
    assert [agent.id for agent, _ in again.failed] == [one]
    assert check(archive) == []


def test_the_limit_is_never_gone_over_and_nobody_is_begun_that_does_not_fit(
    archive: Archive,
) -> None:
    wanted = rescoring.members(archive, kept(archive))
    assert len(wanted) > 2
    found = rescore(archive, *wanted, limit=2 * PER_AGENT + 1)
    assert found.evaluations == 2 * PER_AGENT
    assert [agent.id for agent in found.scored] == wanted[:2]
    assert [agent.id for agent in found.waiting] == wanted[2:]


def test_rescored_members_are_parents_of_the_next_run_and_the_tree_is_sound(home: Path) -> None:
    with Archive.open(home) as archive:
        anew = set(rescoring.members(archive, kept(archive)))
        rescore(archive, *anew)
    assert run(home, benchmarks=SECOND, proposals=14, seed=9) == "finished"
    with Archive.open(home, read_only=True) as archive:
        assert parents(archive, 3) & anew
        assert check(archive) == []


def test_what_decided_a_member_is_not_touched(archive: Archive) -> None:
    one = rescoring.champions(archive, kept(archive))[0]
    agent = archive.agents.get(one)
    gates, lineage = archive.gates(agent_id=one), Lineage(archive)
    lineage.update()
    heads = lineage.verify()
    rescore(archive, one)
    assert archive.gates(agent_id=one) == gates
    after = archive.agents.get(one)
    unchanged = ("number", "kind", "status", "proposal_id", "run_id", "decided_at", "parents")
    assert [getattr(after, n) for n in unchanged] == [getattr(agent, n) for n in unchanged]
    assert lineage.verify() == heads == []
    assert not archive.suites.decided_here(after)
    steps = path_from_seed(archive, one)
    assert all(step.gain is None for step in steps), "gains of another suite are shown nowhere"


def test_an_unfinished_run_an_unknown_suite_and_one_of_other_versions_are_refused(
    archive: Archive, tmp_path: Path
) -> None:
    one = rescoring.members(archive, kept(archive))[0]
    with Archive.create(tmp_path / "new") as new, pytest.raises(NotFound, match="no suite"):
        rescoring.require_suite(new)
    unfinished = archive.runs.start(9, {}, 4)
    with pytest.raises(Refused, match="is unfinished"):
        rescore(archive, one)
    archive.runs.end(unfinished.id, "abandoned")
    now = kept(archive).suite
    archive.suites.open(Suite("", (now.entries[0], replace(now.entries[1], version="0"))))
    with pytest.raises(Refused, match=r"label-drift \(version 0, now 1\)"):
        rescore(archive, one)


def test_what_was_rejected_is_no_member_to_judge(archive: Archive) -> None:
    rejected = next(a for a in archive.agents.select(everyone=True) if a.status == "rejected")
    with pytest.raises(UsageError, match="is rejected"):
        rescore(archive, rejected.id)
    with pytest.raises(Refused, match="expected a member"):
        archive.agents.rescore(rejected.id, 0.1, 0.0, 0.2, {})
    scored = archive.champion()
    assert scored is not None
    with pytest.raises(Refused, match="has a score in the current suite"):
        archive.agents.rescore(scored.id, 0.1, 0.0, 0.2, {})


def test_a_suite_of_fewer_seeds_takes_what_both_have_and_no_more(tmp_path: Path) -> None:
    path, drift, general = tmp_path / "archive", suite("drift"), suite("general")
    for name, found in (("drift", drift), ("general", general)):
        assert run(path, benchmarks=found.benchmarks, suite=name, proposals=6) == "finished"
    with Archive.open(path) as archive:
        wanted = rescoring.members(archive, kept(archive))
        assert wanted
        lacks = 2 * (len(general.benchmarks) - len(drift.benchmarks))
        assert rescore(archive, *wanted).evaluations == lacks * len(wanted)
        assert archive.agents.get(wanted[0]).score is not None
        assert check(archive) == []
