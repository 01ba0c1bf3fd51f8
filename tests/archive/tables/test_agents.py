"""Agents: seeds, files byte for byte, the prefix view that selection draws from, short names."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambrian.archive import Archive, Member, unified_diff
from cambrian.errors import InvalidAgent, NotFound, Refused, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Grow, Identity

ODD = {
    "learner.py": "naïve = 'Ωmega 🧬'\r\nx = 1\r\n",
    "NOTES.md": "no newline at the end",
    "parts/__init__.py": "",
    "parts/separators.py": "a\u2028b\x0cc\x85d\x00e\ttab\n\n\n",
}


def test_the_same_seed_twice_is_one_agent(garden: ArchiveFixture) -> None:
    first = garden.seed("x", score=None)
    assert garden.seed("x", score=None) == first
    counts = garden.archive.counts()
    assert (counts["agents"], counts["seeds"], counts["members"]) == (1, 1, 1)
    assert len(garden.archive.events()) == 1


def test_odd_text_comes_back_byte_for_byte(archive: Archive, code_id: Identity) -> None:
    archive.agents.add_seed(code_id(ODD), ODD, "odd")
    assert archive.agents.files(code_id(ODD)) == ODD


def test_the_same_text_is_stored_once(garden: ArchiveFixture) -> None:
    for number in range(3):
        files = {"learner.py": str(number), "parts/shared.py": "shared"}
        garden.archive.agents.add_seed(f"{number:064x}", files, "t")
    assert garden.archive.database.value("SELECT count(*) FROM sources") == 4


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"../learner.py": ""},
        {"/etc/passwd": ""},
        {"a//b.py": ""},
        {".git/config": ""},
        {"parts/.GIT/hooks": ""},
        {'a".py': ""},
        {"a\nb.py": ""},
        {"parts": "", "parts/x.py": ""},
        {"learner.py": "\ud800"},
    ],
)
def test_files_that_cannot_stand_in_a_tree_are_refused_and_nothing_is_stored(
    archive: Archive, files: dict[str, str]
) -> None:
    with pytest.raises(InvalidAgent):
        archive.agents.add_seed("a" * 64, files, "bad")
    assert archive.counts()["agents"] == 0
    assert archive.database.value("SELECT count(*) FROM sources") == 0


def test_an_id_that_is_no_hash_is_refused(archive: Archive) -> None:
    for wrong in ("abc", "A" * 64, "g" * 64):
        with pytest.raises(UsageError, match="64 lower-case hex"):
            archive.agents.add_seed(wrong, {"learner.py": ""}, "t")


def test_only_a_seed_takes_a_score_from_outside(garden: ArchiveFixture) -> None:
    child = garden.grow("child", garden.seed())
    with pytest.raises(Refused, match="expected a seed"):
        garden.archive.agents.set_score(child, 1.0, 1.0, 1.0)


def test_the_champion_has_the_best_lower_bound_and_not_the_best_score(
    garden: ArchiveFixture,
) -> None:
    archive = garden.archive
    assert archive.champion() is None
    wide, narrow = garden.seed("wide", None), garden.seed("narrow", None)
    archive.agents.set_score(wide, 0.9, 0.1, 1.0)
    archive.agents.set_score(narrow, 0.5, 0.4, 0.6)
    twin = garden.seed("twin", None)
    archive.agents.set_score(twin, 0.5, 0.4, 0.6)
    champion = archive.champion()
    assert champion is not None
    assert champion.id == narrow


def test_lists_are_ordered_and_cut_as_asked(garden: ArchiveFixture) -> None:
    agents = garden.archive.agents
    low, high = garden.seed("low", 0.1), garden.seed("high", 0.8)
    middle = garden.grow("middle", low, score=0.5)
    rejected = garden.reject(garden.propose("rejected", low)).id
    assert [a.id for a in agents.select()] == [low, high, middle]
    assert [a.id for a in agents.select(order="score", limit=2)] == [high, middle]
    everyone = [a.id for a in agents.select(everyone=True, limit=0)]
    assert everyone == [low, high, middle, rejected]
    assert [a.id for a in agents.children(low)] == [middle]
    assert [a.id for a in agents.children(low, members_only=False)] == [middle, rejected]
    assert [a.id for a in agents.parents(middle)] == [low]
    with pytest.raises(UsageError, match="expected an order"):
        agents.select(order="beauty")  # type: ignore[arg-type]


STEP = st.tuples(
    st.integers(0, 30), st.integers(0, 30), st.sampled_from(["admit", "reject", "invalid"])
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=12))
def test_members_through_k_is_what_was_decided_through_k(
    grow: Grow, steps: list[tuple[int, int, str]]
) -> None:
    with tempfile.TemporaryDirectory() as home, Archive.create(Path(home) / "x") as archive:
        garden = grow(archive)
        garden.seed("unscored", None)
        members: list[tuple[str, int, float, int]] = []
        for text in ("one", "two"):
            members.append((garden.seed(text, 0.2), len(members) + 2, 0.2, 0))
        parents_of: dict[str, tuple[str, ...]] = {agent_id: () for agent_id, *_ in members}
        views = {-1: _naive(members, parents_of)}
        for k, (first, second, fate) in enumerate(steps):
            chosen = {members[first % len(members)][0], members[second % len(members)][0]}
            parents = tuple(sorted(chosen))
            proposal = garden.open(*parents)
            if fate == "invalid":
                archive.proposals.close(proposal.id, "invalid", "no edit")
            else:
                garden.vary(proposal, f"variant {k}")
                agent = (
                    garden.reject(garden.archive.proposals.get(proposal.id))
                    if (fate == "reject")
                    else garden.admit(archive.proposals.get(proposal.id), 0.1 * k)
                )
                if fate == "admit":
                    assert agent.number is not None
                    members.append((agent.id, agent.number, 0.1 * k, agent.depth))
                    parents_of[agent.id] = parents
            views[k] = _naive(members, parents_of)
        for k, view in views.items():
            assert archive.members(k) == view
        assert archive.members() == views[len(steps) - 1]


def _naive(
    members: list[tuple[str, int, float, int]], parents_of: dict[str, tuple[str, ...]]
) -> list[Member]:
    return [
        Member(
            agent_id=agent_id,
            number=number,
            score=score,
            lower=score - 0.1,
            depth=depth,
            children=sum(agent_id in parents for parents in parents_of.values()),
        )
        for agent_id, number, score, depth in sorted(members, key=lambda member: member[1])
    ]


def test_short_names_are_understood_as_in_git(garden: ArchiveFixture) -> None:
    archive = garden.archive
    one, two = garden.seed("one", 0.2), garden.seed("two", 0.3)
    child = garden.grow("child", one, score=0.4)
    cross = garden.grow("cross", two, child, score=0.9)
    expected = {
        cross: [cross[:8], cross.upper(), "@best", "#4", f"{cross}^0", f" {cross[:10]} ", "#4~0"],
        two: ["@best^", "@best^1", "@best~", "#2"],
        child: ["@best^2", f"{cross[:9]}^2"],
        one: ["@best^2^", "@best^2~1", "@root", f"{child}~1", "#3^"],
    }
    for agent_id, references in expected.items():
        assert {archive.resolve(reference) for reference in references} == {agent_id}


def test_short_names_that_lead_nowhere_say_why(garden: ArchiveFixture) -> None:
    archive = garden.archive
    with pytest.raises(NotFound, match="no agent has a score yet"):
        archive.resolve("@best")
    seed = garden.seed()
    for missing in ("#99", "0123456789", f"{seed}^", f"{seed}~1", "@root^2"):
        with pytest.raises(NotFound):
            archive.resolve(missing)
    for wrong in ("", "abc", "@worst", "^", f"{seed}!", "#", "#x", f"{seed}~-1", "learner"):
        with pytest.raises(UsageError, match="expected an agent as"):
            archive.resolve(wrong)


def test_an_ambiguous_prefix_lists_the_candidates(archive: Archive) -> None:
    for end in "12":
        archive.agents.add_seed("beef" + end * 60, {"learner.py": end}, f"title {end}")
    with pytest.raises(UsageError, match=r"ambiguous.*beef1.*title 1.*beef2.*title 2"):
        archive.resolve("beef")
    assert archive.resolve("beef1") == "beef" + "1" * 60


def test_a_diff_shows_what_changed_and_nothing_else() -> None:
    old = {"same.py": "x\n", "learner.py": "a\nb\n", "gone.py": "g\n", "eof.py": "z\n"}
    new = {"same.py": "x\n", "learner.py": "a\nc\n", "empty.py": "", "eof.py": "z"}
    diff = unified_diff(old, new)
    assert "-b\n+c\n" in diff
    assert "--- a/gone.py\n+++ /dev/null\n" in diff
    assert "--- /dev/null\n+++ b/empty.py\n" in diff
    assert "-z\n+z\n\\ No newline at end of file\n" in diff
    assert "same.py" not in diff
    assert unified_diff(old, old) == ""


def test_a_candidate_has_no_subtree_yet(garden: ArchiveFixture) -> None:
    seed = garden.seed()
    candidate = garden.propose("undecided", seed).agent_id
    with pytest.raises(NotFound, match="is a candidate"):
        garden.archive.agents.subtree(str(candidate))
