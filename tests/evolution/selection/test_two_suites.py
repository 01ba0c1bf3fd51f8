"""What selection sees of an archive that was judged by two suites: the current one, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.evolution.selection.grove import Grove

from cambrian.archive import Archive
from cambrian.archive.tables import clades
from cambrian.evolution.selection.members import MemberListener, MemberTable
from cambrian.evolution.selection.selection import STRATEGIES, Selection
from cambrian.suite import Entry, Suite

FIRST, SECOND = Suite("", (Entry("b", "1"),)), Suite("", (Entry("c", "1"),))
COLUMNS = ("number", "score", "children", "parent", "clade_members")
ONE_PARENT = ("last", "random")
"""Strategies that go on from one agent only."""


@pytest.fixture
def grove(tmp_path: Path) -> Grove:
    """0 and 1 are seeds, 0 ── 2 ── 3 and 1 ── 4 were admitted by the first suite; in the second one
    only the seeds have a score yet."""
    grove = Grove(Archive.create(tmp_path / "home"))
    grove.archive.suites.open(FIRST)
    for score in (0.3, 0.6):
        grove.seed(score)
    for parent in (0, 2, 1):
        grove.child(parent, score=0.7)
    grove.archive.runs.end(grove.run.id, "finished")
    grove.archive.suites.open(SECOND)
    for at in (0, 1):
        judge(grove, at, 0.4)
        grove.archive.agents.set_score(grove.ids[at], 0.4, 0.3, 0.5)
    grove.run = grove.archive.runs.start(1, {}, 1000)
    return grove


def judge(grove: Grove, at: int, score: float) -> None:
    grove.evaluate(grove.ids[at], score, 4, "c")


def table(grove: Grove) -> MemberTable:
    found = MemberTable(grove.archive, MemberListener())
    found.see(None)
    return found


def values(members: MemberTable) -> dict[str, list[float]]:
    return {name: getattr(members, name).values.tolist() for name in COLUMNS}


def assert_in_step(archive: Archive) -> None:
    kept = archive.database.rows("SELECT * FROM nodes ORDER BY number DESC")
    assert kept == [vars(node) for node in clades.recount(archive.database)]


def test_children_and_clades_are_those_of_the_suite(grove: Grove) -> None:
    members = table(grove)
    assert members.children.values.tolist() == [0, 0]
    assert members.clade_members.values.tolist() == [1, 1]
    assert [member.children for member in grove.archive.members()] == [0, 0]
    grove.child(0, score=0.5)
    judge(grove, 5, 0.5)
    members.see(None)
    assert members.children.values.tolist() == [1, 0, 0]
    assert members.clade_members.values.tolist() == [2, 1, 1]
    assert [member.children for member in grove.archive.members()] == [1, 0, 0]
    assert_in_step(grove.archive)
    grove.archive.runs.end(grove.run.id, "finished")
    grove.archive.suites.open(FIRST)
    assert [member.children for member in grove.archive.members()] == [1, 1, 1, 0, 0]
    assert table(grove).clade_members.values.tolist() == [3, 2, 2, 1, 1]


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_two_parents_are_two_members_of_the_suite(grove: Grove, name: str) -> None:
    selection, rng = Selection(grove.archive, name), np.random.default_rng(3)
    for _ in range(40):
        drawn = {parent.agent_id for parent in selection.draw(None, 2, rng)}
        assert drawn <= set(grove.ids[:2])
        assert len(drawn) == 2 or name in ONE_PARENT


def test_who_has_no_score_between_two_that_have_is_passed_over(grove: Grove) -> None:
    """Agent 3 was scored in the second suite afterwards, its parent 2 was not."""
    archive, suites = grove.archive, grove.archive.suites
    judge(grove, 3, 0.8)
    with archive.transaction():
        suites.keep(archive.agents.get(grove.ids[3]).number or 0, (0.8, 0.7, 0.9), {"c": 0.8})
        suites.copy()
    archive.database.forget()
    members = table(grove)
    assert members.parent.values.tolist() == [-1, -1, 0], "agent 3 hangs on its grandparent"
    assert members.clade_members.values.tolist() == [2, 1, 1]
    grove.child(3, score=0.9)
    members.see(None)
    assert members.clade_members.values.tolist() == [3, 1, 2, 1]
    assert values(members) == values(table(grove))
    assert_in_step(archive)
