"""The tree in numbers: clade counts that are always those of a full count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambrian.archive import Archive
from cambrian.archive.schema import schema
from cambrian.archive.tables import clades
from cambrian.archive.tables.clades import Node
from cambrian.archive.transfer.check import check

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Grow

ONE = clades.UNIT


def node(archive: Archive, agent_id: str) -> Node:
    number = archive.agents.get(agent_id).number
    assert number is not None
    found = archive.nodes.get(number)
    assert found is not None
    return found


def counts(archive: Archive, agent_id: str) -> tuple[float, int, float, int, int, int]:
    found = node(archive, agent_id)
    return (
        *(found.successes / ONE, found.trials, found.clade_successes / ONE, found.clade_trials),
        *(found.clade_members, found.children),
    )


def test_outcomes_go_up_the_primary_line_when_an_agent_is_decided(garden: ArchiveFixture) -> None:
    archive = garden.archive
    one, two = garden.seed("one", 0.2), garden.seed("two", 0.2)
    archive.evaluations.record(one, garden.evaluation(score=0.25))
    proposal = garden.propose("child", one, two)
    child = str(proposal.agent_id)
    archive.evaluations.record(child, garden.evaluation(score=0.75, stage="full"))
    archive.evaluations.record(child, garden.evaluation(score=1.5, stage="full", seed=1))
    assert counts(archive, one) == (0.25, 1, 0.25, 1, 1, 0)
    garden.admit(proposal)
    assert counts(archive, child) == (1.75, 2, 1.75, 2, 1, 0)
    assert counts(archive, one) == (0.25, 1, 2.0, 3, 2, 1)
    # A second parent has one more child, and nothing of its clade.
    assert counts(archive, two) == (0, 0, 0, 0, 1, 1)


def test_a_rejected_child_tells_of_its_clade_and_is_no_member_of_it(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    proposal = garden.propose("child", seed)
    failed = garden.evaluation(stage="smoke", verdict="failed", score=None, reason="raised")
    archive.evaluations.record(str(proposal.agent_id), failed)
    archive.proposals.close(proposal.id, "failed_smoke", "raised")
    assert counts(archive, seed) == (0, 0, 0, 1, 1, 0)
    assert node(archive, str(proposal.agent_id)).member == 0


def test_what_does_not_count_does_not_count(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    record = archive.evaluations.record
    record(seed, garden.evaluation(stage="smoke"))
    record(seed, garden.evaluation(verdict="broken", score=None))
    record(seed, garden.evaluation(stage="sealed"), sealed=True)
    assert counts(archive, seed) == (0, 0, 0, 0, 1, 0)
    record(seed, garden.evaluation(score=-0.5))
    record(seed, garden.evaluation(score=-0.5))
    assert counts(archive, seed) == (0, 1, 0, 1, 1, 0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "reject", "fail", "evaluate", "seed"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.floats(-0.2, 1.2),
    ),
    max_size=25,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_whatever_happens_the_counts_are_those_of_a_full_count(
    steps: list[tuple[str, int, int, float]],
    grow: Grow,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Archive.create(tmp_path_factory.mktemp("nodes") / "home") as archive:
        garden = grow(archive)
        members = [garden.seed()]
        for number, (what, one, two, score) in enumerate(steps):
            if what == "seed":
                members.append(garden.seed(f"seed {number}"))
                continue
            parent, other = members[one % len(members)], members[two % len(members)]
            if what == "evaluate":
                archive.evaluations.record(parent, garden.evaluation(seed=number, score=score))
                continue
            parents = (parent,) if parent == other else (parent, other)
            proposal = garden.propose(f"child {number}", *parents)
            child = str(proposal.agent_id)
            archive.evaluations.record(child, garden.evaluation(seed=number, score=score))
            if what == "admit":
                members.append(garden.admit(proposal).id)
            elif what == "reject":
                garden.reject(proposal)
            else:
                archive.proposals.close(proposal.id, "failed_smoke", "raised")
        expected = {found.number: found for found in clades.recount(archive.database)}
        rows = archive.database.rows("SELECT * FROM nodes")
        assert {row["number"]: Node(**row) for row in rows} == expected
        assert len(rows) == archive.counts()["agents"]
        # The clades of the roots are the whole tree.
        roots = [found for found in expected.values() if found.parent is None]
        assert sum(root.clade_members for root in roots) == len(members)
        total = sum(found.trials for found in expected.values())
        assert sum(root.clade_trials for root in roots) == total


def test_an_archive_from_before_gets_its_counts(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    child = garden.grow("child", seed)
    archive.evaluations.record(child, garden.evaluation(score=0.5))
    garden.reject(garden.propose("rejected", child))
    before = archive.database.rows("SELECT * FROM nodes")
    tallies = archive.database.rows("SELECT * FROM tallies")
    archive.database.connection.executescript(
        """DROP TABLE nodes; DROP TABLE behaviours; DROP TRIGGER proposals_tally_reason;
        DELETE FROM tallies WHERE name LIKE 'admitted.%';
        DELETE FROM migrations WHERE name >= 'm004';"""
    )
    schema.migrate(archive.database, schema.MIGRATIONS[:4])
    assert archive.database.rows("SELECT * FROM nodes") == before
    assert archive.database.rows("SELECT * FROM tallies") == tallies


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE nodes SET clade_trials = clade_trials + 1 WHERE number = 1",
        "UPDATE nodes SET children = 7 WHERE number = 2",
        "DELETE FROM nodes WHERE number = 2",
        "UPDATE nodes SET parent = NULL WHERE number = 2",
    ],
)
def test_counts_that_are_off_are_found(garden: ArchiveFixture, statement: str) -> None:
    garden.grow("child", garden.seed())
    garden.archive.database.connection.execute(statement)
    assert "clade counts" in {problem.kind for problem in check(garden.archive)}
