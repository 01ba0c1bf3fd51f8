"""Standing orders, intents, approvals, meters and reservations: rows that survive a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cambrian.archive import Archive
from cambrian.errors import NotFound, Refused, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture


def test_a_standing_order_holds_until_it_is_changed(garden: ArchiveFixture) -> None:
    steering, run = garden.archive.steering, garden.run.id
    assert steering.order(run, "paused", True)
    assert not steering.order(run, "paused", True)
    assert steering.order(run, "workers", 3)
    assert steering.orders(run) == {"paused": True, "workers": 3}
    garden.archive.close()
    with Archive.open(garden.archive.path) as again:
        assert again.steering.orders(run) == {"paused": True, "workers": 3}


def test_an_intent_is_recorded_once_while_it_is_pending_and_answered_once(archive: Archive) -> None:
    steering = archive.steering
    first = steering.ask("pause", {"now": True}, "uid 0")
    assert steering.ask("pause", {"now": True}, "uid 1").id == first.id
    other = steering.ask("pause", {"now": False}, "uid 0")
    assert [one.id for one in steering.pending()] == [first.id, other.id]
    assert steering.answer(first.id, "done", "paused").answer == "paused"
    assert steering.answer(first.id, "refused", "too late").state == "done"
    assert steering.ask("pause", {"now": True}, "uid 0").id not in (first.id, other.id)
    with pytest.raises(NotFound):
        steering.intent(99)


def test_a_persons_word_is_taken_once_and_not_taken_back(garden: ArchiveFixture) -> None:
    seed = garden.seed()
    proposal, steering = garden.propose("a", seed), garden.archive.steering
    with pytest.raises(NotFound, match="waits for approval"):
        steering.answer_approval(proposal.id, "approved", "me")
    asked = steering.ask_approval(proposal.id, "all", "improvement")
    assert steering.ask_approval(proposal.id, "all", "improvement") == asked
    assert steering.waiting() == [asked]
    assert steering.answer_approval(proposal.id, "approved", "me", "looks right")
    assert not steering.answer_approval(proposal.id, "approved", "you")
    with pytest.raises(Refused, match="approved before, by me"):
        steering.answer_approval(proposal.id, "rejected", "you")
    with pytest.raises(UsageError):
        steering.answer_approval(proposal.id, "maybe", "you")  # type: ignore[arg-type]
    assert steering.waiting() == []


def test_meters_add_up_and_roll_back_with_what_was_used(garden: ArchiveFixture) -> None:
    steering, run = garden.archive.steering, garden.run.id
    steering.count(run, evaluations=2, cpu_s=0.5)
    with pytest.raises(RuntimeError), garden.archive.transaction():
        steering.count(run, evaluations=1)
        raise RuntimeError
    steering.count(run, evaluations=1, cpu_s=0)
    assert steering.meters(run) == {"evaluations": 3, "cpu_s": 0.5}


def test_a_question_that_a_kill_cut_off_counts_as_what_was_put_aside_for_it(
    garden: ArchiveFixture,
) -> None:
    ledger, proposal = garden.archive.ledger, garden.open(garden.seed())
    of: dict[str, Any] = {"run_id": garden.run.id, "proposal_id": proposal.id, "model": "m"}
    for position in (0, 1):
        ledger.reserve(
            **of, position=position, prompt_tokens=100, completion_tokens=50, dollars=0.5
        )
    assert ledger.reserved(garden.run.id).tokens == 300
    ledger.record_answer(
        **of,
        position=0,
        request_hash="h",
        text="t",
        prompt_tokens=60,
        completion_tokens=5,
        dollars=0.1,
    )
    assert ledger.reserved(garden.run.id).tokens == 150
    assert ledger.settle_reservations() == 1
    assert ledger.settle_reservations() == 0
    spent = ledger.total(run_id=garden.run.id)
    assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (2, 160, 55)
    marks = garden.archive.database.rows("SELECT estimated FROM spend ORDER BY id")
    assert [row["estimated"] for row in marks] == [0, 1]
