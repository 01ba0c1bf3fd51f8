"""What a run may still spend on questions, before it asks any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.evolution.models.token_budget import TokenBudget


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[TokenBudget]:
    with Archive.create(tmp_path / "home") as archive:
        tree = load_seed("finetune")
        archive.agents.add_seed(tree.identity, tree, "finetune")
        run = archive.runs.start(0, {}, 9)
        limits: dict[str, float | None] = {"tokens": 100_000}
        yield TokenBudget(archive, run.id, lambda: limits, answer_tokens=lambda: 1000)


def _asked(budget: TokenBudget, model: str, prompt: int) -> None:
    """The first question of a proposal, which ends at once."""
    parents = [budget.archive.agents.select()[0].id]
    proposal = budget.archive.proposals.open(budget.run_id, 0, -1, parents, "model")
    anyio.run(budget.reserve, proposal.id, 0, model, prompt)
    budget.archive.ledger.unreserve(proposal.id, 0)


def test_while_nothing_was_asked_one_proposal_is_made_at_a_time(budget: TokenBudget) -> None:
    assert not budget.must_wait("m", 0)
    assert budget.must_wait("m", 1)


def test_a_model_that_was_never_asked_does_not_hold_up_a_run(budget: TokenBudget) -> None:
    _asked(budget, "m", 2000)
    assert not budget.must_wait("other", 3)
    assert budget.must_wait("other", 20), "taken to need twice what the other model does"
    assert not budget.must_wait("m", 20)
