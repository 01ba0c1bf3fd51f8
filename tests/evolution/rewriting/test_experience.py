"""What the archive has learned about mechanisms steers which one is grafted next."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive, Gate
from cambrian.daemon.supervisor import prepare
from cambrian.evolution.rewriting.operator_credit import Experience


def graft(archive: Archive, mechanism: str, gain: float | None, number: int) -> None:
    """A decided proposal that grafted a mechanism; its gain on the screen (None: it failed)."""
    decide(archive, propose(archive, mechanism, number), gain)


def propose(archive: Archive, mechanism: str, number: int) -> int:
    """A proposal that grafts a mechanism; its id."""
    seed = archive.agents.seeds()[0]
    run = archive.runs.current() or archive.runs.start(0, {}, 100)
    proposal = archive.proposals.open(run.id, number, number - 1, [seed.id], "recombine")
    tree = load_seed("finetune").replace({"NOTES.md": f"{mechanism} {number}"})
    archive.proposals.record_variant(
        proposal.id,
        tree.identity,
        tree,
        title=mechanism,
        hypothesis="",
        operation={"kind": "graft", "mechanism": mechanism},
        stage="smoke",
    )
    return proposal.id


def decide(archive: Archive, proposal_id: int, gain: float | None) -> None:
    """With that gain on the screen (None: it failed)."""
    if gain is None:
        archive.proposals.close(proposal_id, "failed_smoke", "it failed")
        return
    gate = Gate(gate="screen", rule="r", verdict="pass", value=gain)
    archive.proposals.record(proposal_id, None, "no", [gate])


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive.create(tmp_path / "archive")
    prepare(made)
    return made


def test_what_paid_is_picked_more_and_what_cost_less(archive: Archive) -> None:
    for number, (name, gain) in enumerate(
        [("label_map", 0.2), ("ewc", 0.0), ("gpm", -0.3), ("adam", None)]
    ):
        graft(archive, name, gain, number)
    found = Experience(archive).weights(3)
    assert found["label_map"] > 1.0 > found["ewc"] > found["adam"] > found["gpm"] > 0
    assert "momentum" not in found  # never tried: the optimistic weight of 1


def test_only_what_was_decided_by_then_counts(archive: Archive) -> None:
    graft(archive, "label_map", 0.2, 0)
    graft(archive, "ewc", 0.1, 1)
    assert set(Experience(archive).weights(0)) == {"label_map"}
    assert Experience(archive).weights(-1) == {}


def test_more_tries_make_less_optimistic(archive: Archive) -> None:
    graft(archive, "ewc", 0.0, 0)
    once = Experience(archive).weights(0)["ewc"]
    graft(archive, "ewc", 0.0, 1)
    assert Experience(archive).weights(1)["ewc"] < once


def test_what_is_moved_on_is_what_is_read_anew(archive: Archive) -> None:
    """In any order of decisions, and also where it has to look back."""
    chance = random.Random(2)
    moved, names = Experience(archive), ["ewc", "gpm", "label_map"]
    waiting: list[tuple[int, int]] = []
    for number in range(30):
        name = chance.choice(names)
        if number % 4 == 1:
            waiting.append((number, propose(archive, name, number)))
        else:
            graft(archive, name, chance.choice([None, chance.uniform(-0.3, 0.3)]), number)
        if waiting and number % 3 == 0:
            decide(archive, waiting.pop(chance.randrange(len(waiting)))[1], chance.random())
        through = max(number - chance.randrange(5), -1)
        assert moved.gains(through) == Experience(archive).gains(through)
        assert moved.weights(through) == Experience(archive).weights(through)


def test_a_parked_one_that_is_tried_again_counts_as_if_it_had_never_been(archive: Archive) -> None:
    """Reopened and decided between two looks, or looked at meanwhile, or parked once more."""
    moved, names = Experience(archive), ["ewc", "gpm", "label_map"]
    parked = []
    for number, name in enumerate(names):
        parked.append(propose(archive, name, number))
        archive.proposals.close(parked[-1], "parked", "the engine was down")
    assert moved.gains(2) == {}
    archive.proposals.reopen(parked[0])
    decide(archive, parked[0], 0.2)
    archive.proposals.reopen(parked[1])
    assert moved.gains(2) == {"ewc": [0.2]}
    archive.proposals.close(parked[1], "parked", "down again")
    assert moved.gains(2) == {"ewc": [0.2]}
    archive.proposals.reopen(parked[1])
    decide(archive, parked[1], None)
    graft(archive, "ewc", 0.1, 3)
    expected = Experience(archive).gains(3)
    assert moved.gains(3) == expected == {"ewc": [0.2, 0.1], "gpm": [-0.1]}
