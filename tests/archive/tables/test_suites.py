"""Suites: an agent has a score in each, one is current, and nothing of another is mixed in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cambrian.archive import Archive
from cambrian.archive.schema import schema
from cambrian.archive.tables import clades
from cambrian.archive.transfer.bundle import export
from cambrian.archive.transfer.check import check
from cambrian.archive.transfer.merging import merge
from cambrian.errors import NotFound, UsageError
from cambrian.suite import Entry, Suite

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Identity

ONE = Suite("one", (Entry("split-mnist", "1"),))
TWO = Suite("two", (Entry("split-mnist", "2"), Entry("label-drift", "1", 3.0)))


def judge(garden: ArchiveFixture, agent_id: str, suite: Suite, *means: float) -> dict[str, Any]:
    """Two seeds a benchmark, around its mean; what `set_score` and `record` are told of them."""
    vector = dict(zip(suite.benchmarks, means, strict=True))
    for entry in suite.entries:
        for seed, stage in enumerate(("screen", "full")):
            score = vector[entry.benchmark] + (0.01 if seed else -0.01)
            told = {"benchmark": entry.benchmark, "version": entry.version, "stage": stage}
            result = garden.evaluation(**told, seed=seed, score=score)
            garden.archive.evaluations.record(agent_id, result)
    score = sum(suite.weights[name] * mean for name, mean in vector.items())
    return {"score": score, "lower": score - 0.1, "upper": score + 0.1, "vector": vector}


@pytest.fixture
def grown(garden: ArchiveFixture) -> ArchiveFixture:
    """A seed and its child, judged by ONE; then the seed, and another seed, by TWO."""
    archive = garden.archive
    archive.suites.open(ONE)
    seed = garden.seed("seed", score=None)
    archive.agents.set_score(seed, **judge(garden, seed, ONE, 0.2))
    proposal = garden.propose("child", seed)
    told = judge(garden, str(proposal.agent_id), ONE, 0.6)
    gate = garden.reject(garden.propose("loser", seed))
    assert gate.status == "rejected"
    archive.proposals.record(
        proposal.id, "improvement", "better", archive.gates(agent_id=gate.id), **told
    )
    archive.suites.open(TWO)
    archive.agents.set_score(seed, **judge(garden, seed, TWO, 0.1, 0.5))
    other = garden.seed("other", score=None)
    archive.agents.set_score(other, **judge(garden, other, TWO, 0.3, 0.3))
    return garden


def titles(archive: Archive) -> dict[str, float]:
    return {archive.agents.get(m.agent_id).title: round(m.score, 6) for m in archive.members()}


def test_what_was_scored_elsewhere_is_no_member_of_the_current_suite(
    grown: ArchiveFixture,
) -> None:
    archive = grown.archive
    assert titles(archive) == {"seed": 0.4, "other": 0.3}
    champion = archive.champion()
    assert champion is not None and champion.title == "seed"
    rows = archive.database.rows("SELECT title FROM leaderboard")
    assert [row["title"] for row in rows] == ["seed", "other"]
    archive.suites.open(ONE)
    assert titles(archive) == {"seed": 0.2, "child": 0.6}
    champion = archive.champion()
    assert champion is not None and champion.title == "child"


def test_an_agent_has_its_score_in_each_suite(grown: ArchiveFixture) -> None:
    archive = grown.archive
    (seed,) = [agent for agent in archive.agents.seeds() if agent.title == "seed"]
    found = archive.suites.of_agent(seed.number or 0)
    assert [(one.suite.suite.name, round(one.score, 6)) for one in found] == [
        ("one", 0.2),
        ("two", 0.4),
    ]
    assert found[1].vector == {"split-mnist": 0.1, "label-drift": 0.5}
    rows = archive.suites.leaderboard(archive.suites.resolve("one").id)
    assert [row["title"] for row in rows] == ["child", "seed"]


def test_clades_count_the_current_suites_evaluations(grown: ArchiveFixture) -> None:
    archive = grown.archive
    (seed,) = [agent for agent in archive.agents.seeds() if agent.title == "seed"]
    node = archive.nodes.get(seed.number or 0)
    assert node is not None
    assert (node.trials, node.successes) == (4, round(1.2 * clades.UNIT))
    archive.suites.open(ONE)
    node = archive.nodes.get(seed.number or 0)
    assert node is not None
    assert (node.trials, node.successes) == (2, round(0.4 * clades.UNIT))
    assert node.clade_trials == 4, "its child's are of this suite"


def test_opening_the_same_suite_again_changes_nothing(grown: ArchiveFixture) -> None:
    archive = grown.archive
    before = archive.suites.all()
    renamed = Suite("another name", TWO.entries[::-1])
    assert archive.suites.open(renamed) == archive.suites.current()
    assert archive.suites.all() == before


def test_a_suite_is_found_by_its_name_or_its_hash(grown: ArchiveFixture) -> None:
    suites = grown.archive.suites
    assert suites.resolve("two").suite == TWO
    assert suites.resolve(ONE.hash[:10]).suite == ONE
    with pytest.raises(NotFound, match=r"no suite here is called 'three'; there are: one \("):
        suites.resolve("three")
    suites.add(Suite("one", (Entry("digit-sums", "1"),)))
    with pytest.raises(UsageError, match="more digits of the hash"):
        suites.resolve("one")


@pytest.mark.parametrize(
    ("kind", "lie"),
    [
        (
            "score without its evaluations",
            "UPDATE scores SET score = score + 0.01 WHERE number = 1 AND suite_id = 2",
        ),
        ("score vector", "UPDATE scores SET vector = '{}' WHERE number = 1 AND suite_id = 1"),
        ("score of another suite", "UPDATE agents SET score = 0.9 WHERE number = 1"),
    ],
)
def test_a_sound_archive_is_sound_and_each_lie_about_a_score_is_found(
    grown: ArchiveFixture, code_id: Identity, kind: str, lie: str
) -> None:
    archive = grown.archive
    assert [p for p in check(archive, identity=code_id) if p.kind != "lineage"] == []
    with archive.transaction():
        archive.database.execute(lie)
    assert kind in {problem.kind for problem in check(archive)}


def test_an_older_archive_is_filed_under_the_suite_of_its_runs(
    grown: ArchiveFixture, code_id: Identity
) -> None:
    """The tables are taken away, as an older Cambrian has them not, and migrated again."""
    archive = grown.archive
    archive.suites.open(ONE)
    before = [vars(one) for one in archive.members()]
    database = archive.database
    with archive.transaction():
        database.execute('UPDATE runs SET settings = \'{"benchmarks": ["split-mnist"]}\'')
        database.execute(
            "DELETE FROM evaluations WHERE (benchmark, version) NOT IN (('split-mnist', '1'))"
        )
        for statement in (
            "DROP VIEW suite_scores",
            "ALTER TABLE runs DROP COLUMN suite_id",
            "DROP TABLE scores",
            "DROP TABLE suites",
            "DROP TABLE screen_answers",
            "DROP TABLE null_evaluations",
            "DROP TABLE nulls",
            "ALTER TABLE spend DROP COLUMN position",
            "ALTER TABLE spend DROP COLUMN refused",
            "DROP TABLE trials",
            "DROP TABLE edit_changes",
            "DROP TABLE questions",
            "DELETE FROM migrations WHERE name >= 'm012'",
        ):
            database.execute(statement)
    schema.migrate(database)
    database.forget()
    kept = archive.suites.current()
    assert kept is not None
    assert kept.suite == Suite("", ONE.entries)
    assert archive.suites.scored(kept.id) == 2
    assert [vars(one) for one in archive.members()] == before
    assert archive.runs.get(1).suite_id == kept.id
    odd = {"lineage", "event without effect", "tally is off"}
    assert [p for p in check(archive, identity=code_id) if p.kind not in odd] == []


def test_suites_and_scores_travel_in_a_bundle(
    grown: ArchiveFixture, tmp_path: Path, code_id: Identity
) -> None:
    archive = grown.archive
    export(archive, tmp_path / "bundle")
    with Archive.create(tmp_path / "other") as other:
        with other.lock():
            merge(other, tmp_path / "bundle", code_id)
        current = other.suites.current()
        assert current is not None and current.suite == TWO
        assert titles(other) == titles(archive)
        told = "SELECT suite, title, score, vector FROM suite_scores ORDER BY suite, title"
        assert other.database.rows(told) == archive.database.rows(told)
        assert [p for p in check(other, identity=code_id) if p.kind != "lineage"] == []


def test_a_bundle_of_another_suite_is_merged_and_mixed_into_nothing(
    grown: ArchiveFixture, tmp_path: Path, code_id: Identity
) -> None:
    from tests.archive.conftest import ArchiveFixture as Garden

    export(grown.archive, tmp_path / "bundle")
    with Archive.create(tmp_path / "other") as other:
        theirs = Garden(other)
        other.suites.open(ONE)
        seed = theirs.seed("seed", score=None)
        other.agents.set_score(seed, **judge(theirs, seed, ONE, 0.2))
        other.runs.end(theirs.run.id, "finished")
        with other.lock():
            merge(other, tmp_path / "bundle", code_id)
        assert titles(other) == {"seed": 0.2, "child": 0.6}
        assert {kept.suite for kept in other.suites.all()} == {ONE, TWO}
        other.suites.open(TWO)
        assert titles(other) == {"seed": 0.4, "other": 0.3}
        assert [p for p in check(other, identity=code_id) if p.kind != "lineage"] == []
