"""Proposals: every step once, in any order of workers, with its event and gates."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

import pytest

from cambrian.archive import Archive, Gate, Proposal, ProposalState
from cambrian.errors import NotFound, Refused, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Identity


def test_opening_the_same_index_again_returns_what_is_there(garden: ArchiveFixture) -> None:
    seed = garden.seed()
    proposal = garden.open(seed)
    again = garden.archive.proposals.open(garden.run.id, 0, -1, ["f" * 64], "model")
    assert again == proposal
    assert garden.archive.proposals.at(0) == proposal
    assert garden.archive.proposals.at(1) is None


def test_a_proposal_needs_the_next_index_and_parents_that_are_members(
    garden: ArchiveFixture,
) -> None:
    seed, run = garden.seed(), garden.run.id
    rejected = garden.reject(garden.propose("rejected", seed)).id
    proposals = garden.archive.proposals
    with pytest.raises(UsageError, match="next index, 1, got 5"):
        proposals.open(run, 5, 0, [seed], "recombine")
    with pytest.raises(UsageError, match=r"see through -1\.\.0"):
        proposals.open(run, 1, 1, [seed], "recombine")
    for wrong in ([], [seed, seed], [seed, rejected, seed]):
        with pytest.raises(UsageError, match="one parent or two"):
            proposals.open(run, 1, 0, wrong, "recombine")
    with pytest.raises(Refused, match="is rejected"):
        proposals.open(run, 1, 0, [rejected], "recombine")
    with pytest.raises(NotFound):
        proposals.open(run, 1, 0, ["0" * 64], "recombine")


def test_a_variant_becomes_a_candidate_with_parents_and_a_job(garden: ArchiveFixture) -> None:
    archive = garden.archive
    one, two = garden.seed("one"), garden.seed("two")
    proposal = garden.propose("cross", one, two)
    assert (proposal.state, proposal.operation, proposal.confidence) == (
        "proposed",
        {"op": "tune"},
        0.5,
    )
    assert proposal.agent_id is not None
    agent = archive.agents.get(proposal.agent_id)
    assert (agent.status, agent.number, agent.depth) == ("candidate", None, 1)
    assert agent.parents == (one, two)
    assert agent.hypothesis == "because cross"
    [job] = archive.jobs.of(proposal_id=proposal.id)
    assert (job.kind, job.stage, job.agent_id, job.state) == (
        "evaluate",
        "smoke",
        agent.id,
        "queued",
    )


def test_recording_the_same_variant_again_changes_nothing(garden: ArchiveFixture) -> None:
    proposal = garden.open(garden.seed())
    assert garden.vary(proposal, "x") == "proposed"
    events = garden.archive.events()
    assert garden.vary(proposal, "x") == "proposed"
    assert garden.archive.events() == events
    with pytest.raises(Refused, match="is proposed: expected open"):
        garden.vary(proposal, "y")


def test_known_code_is_a_duplicate_and_nothing_else_is_stored(garden: ArchiveFixture) -> None:
    seed = garden.seed("seed")
    garden.reject(garden.propose("tried", seed))
    for known in ("seed", "tried"):
        proposal = garden.open(seed)
        assert garden.vary(proposal, known) == "duplicate"
        assert garden.vary(proposal, known) == "duplicate"
        closed = garden.archive.proposals.get(proposal.id)
        assert (closed.state, closed.terminal) == ("duplicate", True)
        assert garden.archive.jobs.of(proposal_id=proposal.id) == []
    assert garden.archive.counts()["agents"] == 2


@pytest.mark.parametrize("first", [0, 1])
def test_the_smaller_index_has_the_code_whichever_worker_was_faster(
    garden: ArchiveFixture, code_id: Identity, first: int
) -> None:
    archive = garden.archive
    parents = [garden.seed("one"), garden.seed("two")]
    both = [garden.open(parent) for parent in parents]
    agent_id = code_id({"learner.py": "the same"})
    garden.vary(both[first], "the same")
    archive.evaluations.record(agent_id, garden.evaluation())
    archive.proposals.make_ready(both[first].id, {"done": True})
    garden.vary(both[1 - first], "the same")

    states = [archive.proposals.get(p.id).state for p in both]
    assert states == [("ready" if first == 0 else "proposed"), "duplicate"]
    agent = archive.agents.get(agent_id)
    assert (agent.proposal_index, agent.parents) == (0, (parents[0],))
    assert len(archive.evaluations.of(agent_id)) == 1
    assert [job.state for job in archive.jobs.of(proposal_id=both[0].id)] == ["queued"]
    assert "queued" not in {job.state for job in archive.jobs.of(proposal_id=both[1].id)}
    assert not archive.proposals.make_ready(both[1].id, {"late": True})


def test_code_that_our_machine_failed_gets_another_chance(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    parked = garden.propose("unlucky", seed)
    archive.proposals.close(parked.id, "parked", "broken five times")
    again = garden.propose("unlucky", seed)
    assert again.state == "proposed"
    assert garden.admit(again).proposal_index == again.idx
    assert archive.proposals.get(parked.id).state == "parked"


def test_an_admission_is_one_step_with_its_gates_and_number(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    proposal = garden.propose("child", seed)
    assert archive.proposals.make_ready(proposal.id, {"score": 0.6})
    assert not archive.proposals.make_ready(proposal.id, {"score": 0.7})
    assert archive.proposals.get(proposal.id).outcome == {"score": 0.6}
    gates = [
        Gate(gate="smoke", rule="runs", verdict="pass"),
        Gate(gate="gain", rule="lower > 0", verdict="pass", threshold=0.0, value=0.3, lower=0.1),
    ]
    agent = archive.proposals.record(
        proposal.id, "improvement", "better", gates, score=0.6, lower=0.5, upper=0.7
    )
    assert (agent.status, agent.kind, agent.number) == ("admitted", "improvement", 2)
    assert (agent.score, agent.lower, agent.upper) == (0.6, 0.5, 0.7)
    assert archive.gates(agent_id=agent.id) == gates
    assert archive.gates(proposal_id=proposal.id) == gates
    assert [job.state for job in archive.jobs.of(proposal_id=proposal.id)] == ["cancelled"]
    assert archive.events()[-1].kind == "proposal.admitted"
    with pytest.raises(UsageError, match="either"):
        archive.gates()


def test_nothing_is_decided_twice(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    proposal = garden.propose("child", seed)
    garden.reject(proposal)
    events = archive.events()
    with pytest.raises(Refused, match="is rejected"):
        garden.admit(proposal)
    with pytest.raises(Refused, match="is rejected"):
        archive.proposals.close(proposal.id, "invalid", "no")
    assert not archive.proposals.make_ready(proposal.id, {})
    assert archive.events() == events
    assert archive.proposals.get(proposal.id).state == "rejected"


@pytest.mark.parametrize("score", [None, float("nan")])
def test_an_admission_without_gates_or_score_is_refused(
    garden: ArchiveFixture, score: float | None
) -> None:
    proposal = garden.propose("child", garden.seed())
    gate = Gate(gate="g", rule="r", verdict="pass")
    for gates, value in (([], 0.5), ([gate], score)):
        with pytest.raises(UsageError, match="expected gates"):
            garden.archive.proposals.record(
                proposal.id, "improvement", "?", gates, score=value, lower=value
            )
    assert garden.archive.proposals.get(proposal.id).state == "proposed"


def test_a_failed_smoke_test_rejects_the_agent_and_is_not_judged(garden: ArchiveFixture) -> None:
    archive = garden.archive
    proposal = garden.propose("crash", garden.seed())
    archive.proposals.close(proposal.id, "failed_smoke", "raised ValueError")
    archive.proposals.close(proposal.id, "failed_smoke", "raised ValueError")
    assert proposal.agent_id is not None
    assert archive.agents.get(proposal.agent_id).status == "rejected"
    counts = archive.counts()
    assert (counts["failed_smoke"], counts["judged"], counts["rejected"]) == (1, 0, 0)
    with pytest.raises(UsageError, match="expected one of"):
        archive.proposals.close(proposal.id, "admitted", "sneaky")


def test_numbers_follow_decisions_and_not_the_speed_of_workers(garden: ArchiveFixture) -> None:
    seed = garden.seed()
    late, early = garden.open(seed), garden.open(seed)
    garden.vary(early, "early")
    garden.vary(late, "late")
    proposals = garden.archive.proposals
    assert garden.admit(proposals.get(late.id)).number == 2
    assert garden.reject(proposals.get(early.id)).number == 3


def test_decided_through_stops_at_the_first_gap(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    proposals = archive.proposals
    assert proposals.decided_through() == -1
    three = [garden.propose(str(k), seed) for k in range(3)]
    garden.reject(three[1])
    assert proposals.decided_through() == -1
    assert [p.idx for p in proposals.undecided()] == [0, 2]
    garden.admit(three[0])
    assert proposals.decided_through() == 1
    proposals.close(three[2].id, "parked", "broken")
    assert proposals.decided_through() == 2
    assert proposals.undecided() == []
    assert [p.state for p in proposals.select()] == ["admitted", "rejected", "parked"]


def test_counts_add_up(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    garden.grow("a", seed)
    garden.reject(garden.propose("b", seed))
    garden.vary(garden.open(seed), "b")
    archive.proposals.close(garden.open(seed).id, "invalid", "no edit")
    garden.propose("c", seed)
    counts = archive.counts()
    expected = {
        "judged": 2,
        "admitted": 1,
        "rejected": 1,
        "duplicate": 1,
        "invalid": 1,
        "proposed": 1,
        "proposals": 5,
        "agents": 4,
        "seeds": 1,
        "members": 2,
        "candidates": 1,
    }
    assert {name: counts[name] for name in expected} == expected


def test_prose_that_is_not_unicode_is_kept_readable(garden: ArchiveFixture) -> None:
    proposal = garden.open(garden.seed())
    files = {"learner.py": "odd"}
    garden.archive.proposals.record_variant(
        proposal.id,
        "c" * 64,
        files,
        title="a \ud800 b",
        hypothesis="",
        edit=["\ud800"],
        stage="smoke",
    )
    recorded = garden.archive.proposals.get(proposal.id)
    assert recorded.title == "a ? b"
    assert recorded.edit == ["\ud800"]


def test_a_run_is_finished_or_resumed_before_another_starts(
    archive: Archive, garden: ArchiveFixture
) -> None:
    run = archive.runs.start(3, {"benchmarks": ["a"]}, 10)
    assert (run.seed, run.settings, run.first_proposal) == (3, {"benchmarks": ["a"]}, 0)
    with pytest.raises(Refused, match="run 1 is running"):
        archive.runs.start(4, {}, 10)
    archive.runs.add_wall(run.id, 1.5)
    archive.runs.add_wall(run.id, 2.0)
    assert archive.runs.end(run.id, "stopped").ended_at is not None
    assert archive.runs.current() == archive.runs.get(run.id)
    resumed = archive.runs.resume(run.id, 20)
    assert (resumed.state, resumed.target_proposals, resumed.wall_s) == ("running", 20, 3.5)
    assert resumed.ended_at is None
    archive.proposals.open(run.id, 0, -1, [garden.seed()], "recombine")
    archive.runs.end(run.id, "finished")
    assert archive.runs.current() is None
    with pytest.raises(Refused, match="run 1 is finished"):
        archive.runs.resume(run.id)
    with pytest.raises(UsageError, match="got 'running'"):
        archive.runs.end(run.id, "running")
    with pytest.raises(NotFound):
        archive.runs.get(99)
    assert archive.runs.start(4, {}, 10).first_proposal == 1
    last = archive.runs.last()
    assert last is not None
    assert last.id == 2


def _record(garden: ArchiveFixture, proposal: Proposal, text: str, fingerprint: bytes) -> str:
    files = {"learner.py": text}
    return garden.archive.proposals.record_variant(
        proposal.id,
        hashlib.sha256(text.encode()).hexdigest(),
        files,
        title=text,
        hypothesis="h",
        stage="smoke",
        fingerprint=fingerprint,
    )


def test_code_that_does_the_same_is_kept_and_rejected_in_its_turn(garden: ArchiveFixture) -> None:
    seed, proposals = garden.seed(), garden.archive.proposals
    first = garden.open(seed)
    assert _record(garden, first, "x = 1", b"1" * 16) == "proposed"
    second = garden.open(seed)
    assert _record(garden, second, "x = 1  # one", b"1" * 16) == "duplicate"
    assert _record(garden, second, "x = 1  # one", b"1" * 16) == "duplicate"
    held = proposals.get(second.id)
    assert held.state == "ready" and held.outcome["end"] == "duplicate"
    assert garden.archive.jobs.of(proposal_id=second.id) == []
    own = garden.archive.agents.get(str(held.agent_id))
    assert own.status == "candidate" and own.id != proposals.get(first.id).agent_id
    proposals.close(second.id, "duplicate", held.outcome["reason"])
    assert garden.archive.agents.get(own.id).status == "rejected"
    assert str(proposals.get(first.id).agent_id) in str(proposals.get(second.id).reason)


def test_what_does_the_same_as_a_parked_variant_is_judged_and_that_one_no_more(
    garden: ArchiveFixture,
) -> None:
    seed, proposals = garden.seed(), garden.archive.proposals
    first = garden.open(seed)
    _record(garden, first, "x = 1", b"1" * 16)
    proposals.close(first.id, "parked", "the sandbox broke")
    assert _record(garden, garden.open(seed), "x = 1  # one", b"1" * 16) == "proposed"
    with pytest.raises(Refused, match="does the same"):
        proposals.reopen(first.id)


def test_a_gate_is_kept_when_it_is_looked_at_and_once(garden: ArchiveFixture) -> None:
    archive, proposal = garden.archive, garden.propose("child", garden.seed())

    def look(name: str, value: float) -> Gate:
        return Gate(gate=name, rule=f"{name} is high", verdict="pass", value=value)

    archive.proposals.keep_gates(proposal.id, [look("screen", 0.1), look("improver", 0.2)])
    assert [one.gate for one in archive.gates(proposal_id=proposal.id)] == ["screen", "improver"]
    archive.proposals.keep_gates(proposal.id, [look("improvement", 0.3)])  # asks for approval
    last = [look("improvement", 0.4), look("approval", 1.0)]
    archive.proposals.record(
        proposal.id, "improvement", "shown", last, score=0.5, lower=0.4, upper=0.6
    )
    found = [(one.gate, one.value) for one in archive.gates(proposal_id=proposal.id)]
    assert found == [("screen", 0.1), ("improver", 0.2), ("improvement", 0.4), ("approval", 1.0)]


def test_what_ends_without_a_judgement_has_no_gates(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    gate = Gate(gate="screen", rule="is level", verdict="pass")
    for state, left in (("parked", []), ("duplicate", []), ("failed_smoke", [gate])):
        proposal = garden.propose(state, seed)
        archive.proposals.keep_gates(proposal.id, [gate])
        archive.proposals.close(proposal.id, cast(ProposalState, state), "it ended")
        assert archive.gates(proposal_id=proposal.id) == left
