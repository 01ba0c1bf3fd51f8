"""One archive, two suites, through the loop."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evolution.running import PROPOSALS, settings

from cambrian.archive import Archive, Measurement
from cambrian.archive.store import CONTROL
from cambrian.archive.transfer.check import check
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.errors import NotFound, Refused
from cambrian.evaluators.suites import of_benchmarks
from cambrian.evolution.rewriting.operator_credit import Experience, mechanisms_of
from cambrian.evolution.settings import Settings
from cambrian.suite import Suite
from cambrian.testing.workers import InstantWorker

FIRST, SECOND = ("split-mnist", "label-drift"), ("digit-sums", "label-drift")


def run(
    path: Path, *, abandon: bool = False, told: list[str] | None = None, **given: object
) -> str:
    with_them: Settings = settings(sandbox="none", **given)
    said = told if told is not None else []
    options = Options(make_worker=InstantWorker)
    return supervisor.run(path, with_them, said.append, abandon=abandon, options=options).state


def parents(archive: Archive, run_id: int) -> set[str]:
    rows = archive.database.rows("SELECT parents FROM proposals WHERE run_id = ?", (run_id,))
    return {parent for row in rows for parent in json.loads(row["parents"])}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suites") / "archive"
    said: list[str] = []
    assert run(path, benchmarks=FIRST) == "finished"
    assert run(path, benchmarks=SECOND, told=said) == "finished"
    assert any("keep their scores there" in line for line in said)
    return path


def test_another_set_of_benchmarks_opens_another_suite(two: Path) -> None:
    with Archive.open(two, read_only=True) as archive:
        first, second = archive.suites.all()
        assert (first.suite.benchmarks, first.current) == (FIRST, False)
        assert (second.suite.benchmarks, second.current) == (SECOND, True)
        assert [archive.runs.get(n).suite_id for n in (1, 2)] == [first.id, second.id]
        assert archive.counts()["proposals"] == 2 * PROPOSALS


def test_members_of_the_other_suite_are_no_parents_and_keep_their_scores(two: Path) -> None:
    with Archive.open(two, read_only=True) as archive:
        of_run = {
            agent.id: agent.run_id for agent in archive.agents.select() if agent.status != "seed"
        }
        assert Counter(of_run.values()).keys() == {1, 2}, "both runs admitted somebody"
        assert all(of_run.get(parent, 2) == 2 for parent in parents(archive, 2))
        first, second = archive.suites.all()
        for kept, run_id in ((first, 1), (second, 2)):
            rows = archive.suites.leaderboard(kept.id)
            assert rows
            assert {of_run.get(row["id"], run_id) for row in rows} == {run_id}
        champion = archive.champion()
        assert champion is not None
        assert champion.id == archive.suites.leaderboard(second.id, 1)[0]["id"]


def test_quota_and_experience_are_of_the_current_suite(two: Path) -> None:
    with Archive.open(two, read_only=True) as archive:
        rows = archive.database.rows(
            "SELECT run_id, state, operation FROM proposals WHERE state IN "
            "('admitted', 'rejected', 'failed_smoke')"
        )
        judged = Counter(row["run_id"] for row in rows if row["state"] != "failed_smoke")
        admitted = Counter(row["run_id"] for row in rows if row["state"] == "admitted")
        proposals = archive.proposals
        assert proposals.admitted_through(10**6, ()) == (admitted[2], 0)
        assert proposals.admitted_elsewhere(()) == (admitted[1], 0)
        assert proposals.count_judged() == judged[2]
        tried = {
            run: {name for row in rows if row["run_id"] == run for name in _mechanisms(row)}
            for run in (1, 2)
        }
        assert tried[1] - tried[2], "the first run tried something that the second one did not"
        assert Experience(archive).gains(10**6).keys() == tried[2]


def _mechanisms(row: dict[str, object]) -> set[str]:
    return set(mechanisms_of(json.loads(str(row["operation"]))))


def test_a_seed_that_failed_in_another_suite_is_no_failed_seed_of_this_one(
    tmp_path: Path,
) -> None:
    with Archive.create(tmp_path / "home") as archive:
        archive.suites.open(of_benchmarks(FIRST))
        supervisor.prepare(archive)
        seed = archive.agents.seeds()[0]
        version = of_benchmarks(FIRST).entries[0].version
        failed = Measurement(
            benchmark=FIRST[0],
            version=version,
            stage="full",
            seed=1,
            verdict="failed",
            reason="over its memory",
        )
        archive.evaluations.record(seed.id, failed)
        assert [row.agent_id for row in archive.evaluations.failures_of_seeds()] == [seed.id]
        archive.suites.open(of_benchmarks(SECOND))
        assert archive.evaluations.failures_of_seeds() == []


def test_the_control_of_another_suite_is_run_anew(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    for benchmarks in (FIRST, SECOND, SECOND):
        with_it = settings(sandbox="none", benchmarks=benchmarks, proposals=4)
        options = Options(make_worker=InstantWorker)
        supervisor.run(path, with_it, lambda _: None, control=True, options=options)
    with Archive.open(path / CONTROL, read_only=True) as control:
        suites = [kept.suite.benchmarks for kept in control.suites.all()]
        assert suites == [FIRST, SECOND]
        runs = [control.runs.get(n) for n in (1, 2)]
        assert [(run.suite_id, run.state) for run in runs] == [(1, "finished"), (2, "finished")]
        with pytest.raises(NotFound):
            control.runs.get(3)


def test_an_archive_of_two_suites_is_sound(two: Path) -> None:
    with Archive.open(two, read_only=True) as archive:
        assert check(archive) == []


def test_the_first_suite_goes_on_where_it_was_left(two: Path, tmp_path: Path) -> None:
    """Its members are parents again; the seed agents are not judged anew."""
    path = tmp_path / "again"
    assert run(path, benchmarks=FIRST) == "finished"
    with Archive.open(path, read_only=True) as archive:
        members = {member.agent_id for member in archive.members()}
        judged = archive.counts()["evaluations_scored"]
    assert run(path, benchmarks=SECOND, proposals=1) == "finished"
    assert run(path, benchmarks=FIRST[::-1], proposals=PROPOSALS, seed=9) == "finished"
    with Archive.open(path, read_only=True) as archive:
        assert len(archive.suites.all()) == 2
        assert members <= {member.agent_id for member in archive.members()}
        seeds = {seed.id for seed in archive.agents.seeds()}
        assert parents(archive, 3) - seeds, "members of the first run were drawn"
        anew = archive.database.value(
            "SELECT count(*) FROM evaluations e JOIN agents a ON a.id = e.agent_id "
            "WHERE a.status = 'seed' AND e.benchmark = 'split-mnist'"
        )
        assert anew == 5 * len(seeds)
        assert judged < archive.counts()["evaluations_scored"]
        assert check(archive) == []


def test_an_unfinished_run_is_not_taken_to_another_suite(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    with Archive.create(path) as archive, archive.lock():
        supervisor.prepare(archive)
        archive.suites.open(of_benchmarks(FIRST))
        given = settings(benchmarks=FIRST)
        archive.runs.start(given.seed, given.to_json(), PROPOSALS)
    with pytest.raises(Refused, match=r"had other settings.*benchmarks.*--abandon"):
        run(path, benchmarks=SECOND)
    with Archive.open(path, read_only=True) as archive:
        current = archive.suites.current()
        assert current is not None
        assert current.suite.benchmarks == FIRST
    assert run(path, benchmarks=SECOND, abandon=True) == "finished"
    with Archive.open(path, read_only=True) as archive:
        assert archive.runs.get(1).state == "abandoned"
        assert check(archive) == []


def test_new_versions_are_a_new_suite_and_an_unfinished_run_is_not_taken_there(
    tmp_path: Path,
) -> None:
    """The archive is of a time when label-drift had version 0."""
    path = tmp_path / "archive"
    given = settings(benchmarks=FIRST, proposals=4)
    with Archive.create(path) as archive, archive.lock():
        supervisor.prepare(archive)
        now = of_benchmarks(FIRST).entries
        archive.suites.open(Suite("", (now[0], replace(now[1], version="0"))))
        archive.runs.start(given.seed, given.to_json(), 4)
    with pytest.raises(Refused, match="the benchmarks have changed since the unfinished run"):
        run(path, benchmarks=FIRST, proposals=4)
    assert run(path, benchmarks=FIRST, proposals=4, abandon=True) == "finished"
    with Archive.open(path, read_only=True) as archive:
        assert [kept.current for kept in archive.suites.all()] == [False, True]
        assert archive.runs.get(1).state == "abandoned"
        assert check(archive) == []
