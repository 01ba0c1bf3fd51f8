"""The optimiser of a structure and the bandit over kinds are functions of the archive."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from cambrian.agents.recombine import Learned
from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive, Gate
from cambrian.daemon.supervisor import prepare
from cambrian.evolution.rewriting.kind_credit import KindCredit, kinds_of
from cambrian.evolution.rewriting.knob_credit import KnobCredit
from cambrian.evolution.rewriting.optimisers import GENERATION, Optimiser
from cambrian.reports.mechanisms import Idle, idle

KNOBS = 4
SEED = 12


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive.create(tmp_path / "archive")
    prepare(made)
    return made


def tune(number: int, chance: random.Random, structure: str = "s") -> dict[str, Any]:
    at = [round(chance.random(), 4) for _ in range(KNOBS)]
    return {
        "kind": chance.choice(["tune", "graft", "swap"]),
        "changes": {f"learner.k{number % 3}": [0.1, 0.2]},
        "of": {"structure": structure, "at": [0.5] * KNOBS},
        "made": {"structure": structure, "at": at},
    }


def propose(archive: Archive, number: int, operation: dict[str, Any]) -> int:
    seed = archive.agents.seeds()[0]
    run = archive.runs.current() or archive.runs.start(0, {}, 100)
    proposal = archive.proposals.open(run.id, number, number - 1, [seed.id], "recombine")
    tree = load_seed("finetune").replace({"NOTES.md": f"{number}"})
    archive.proposals.record_variant(
        proposal.id,
        tree.identity,
        tree,
        title="",
        hypothesis="",
        operation=operation,
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


def asked(credit: KnobCredit, archive: Archive, through: int) -> Learned:
    return credit.learned(archive.agents.seeds()[0].id, through, SEED, True)


def test_an_optimiser_speaks_when_a_generation_is_decided(archive: Archive) -> None:
    chance = random.Random(0)
    for number in range(GENERATION):
        decide(archive, propose(archive, number, tune(number, chance)), chance.random())
    before = asked(KnobCredit(archive), archive, GENERATION - 2)
    assert before.points == [] and before.structure == ""
    found = asked(KnobCredit(archive), archive, GENERATION - 1)
    assert found.structure == "s" and len(found.points) > 1
    assert all(len(point) == KNOBS and 0 <= min(point) <= max(point) <= 1 for point in found.points)
    parent = archive.agents.seeds()[0].id
    other = KnobCredit(archive).learned(parent, GENERATION, SEED + 1, True)
    assert other.points != found.points
    assert KnobCredit(archive).learned(parent, GENERATION, SEED, False).points == []
    assert KnobCredit(archive).learned("nobody", GENERATION, SEED, True).points == []


def test_what_is_moved_on_is_what_is_read_anew(archive: Archive) -> None:
    """In any order of decisions, and also where it has to look back."""
    chance = random.Random(5)
    moved = KnobCredit(archive)
    waiting: list[int] = []
    for number in range(45):
        made = propose(archive, number, tune(number, chance))
        if number % 5 == 1:
            waiting.append(made)
        else:
            decide(archive, made, chance.choice([None, 0.0, chance.uniform(-0.3, 0.3)]))
        if waiting and number % 7 == 0:
            decide(archive, waiting.pop(chance.randrange(len(waiting))), chance.random())
        through = max(number - chance.randrange(9), -1)
        assert asked(moved, archive, through) == asked(KnobCredit(archive), archive, through)
    assert asked(moved, archive, 44).points


def test_a_parked_one_that_is_judged_later_takes_its_place_in_the_order(archive: Archive) -> None:
    chance = random.Random(6)
    moved = KnobCredit(archive)
    parked = propose(archive, 0, tune(0, chance))
    archive.proposals.close(parked, "parked", "the engine was down")
    for number in range(1, 20):
        decide(archive, propose(archive, number, tune(number, chance)), chance.random())
    before = asked(moved, archive, 19)
    archive.proposals.reopen(parked)
    decide(archive, parked, 0.9)
    after = asked(moved, archive, 19)
    assert after == asked(KnobCredit(archive), archive, 19)
    assert after.points != before.points


def test_structures_do_not_learn_of_each_other(archive: Archive) -> None:
    chance = random.Random(7)
    for number in range(GENERATION + 4):
        structure = "s" if number % 2 else "t"
        decide(archive, propose(archive, number, tune(number, chance, structure)), 0.1)
    assert asked(KnobCredit(archive), archive, GENERATION + 3).points == []


def test_what_an_archive_holds_in_another_form_is_left_out(archive: Archive) -> None:
    odd: list[Any] = [{"kind": "tune"}, {"of": 3, "made": []}, {"chain": 7}, ["tune"], "tune"]
    odd.append({"of": {"structure": "s", "at": [2.0]}, "made": {"structure": "s", "at": ["x"]}})
    for number, operation in enumerate(odd):
        decide(archive, propose(archive, number, operation), 0.1)
    found = asked(KnobCredit(archive), archive, 9)
    assert found.points == [] and found.knobs == {}


def test_a_knob_that_never_moved_a_score_loses_weight(archive: Archive) -> None:
    chance = random.Random(8)
    for number in range(12):
        operation = tune(number, chance) | {"kind": "tune"}
        decide(archive, propose(archive, number, operation), 0.0 if number % 3 == 0 else 0.02)
    found = asked(KnobCredit(archive), archive, 11).knobs
    assert found["learner.k0"] == pytest.approx(1 / 5)
    assert found["learner.k1"] == found["learner.k2"] == 1.0


def test_one_that_answered_as_its_parent_was_a_neutral_tune(archive: Archive) -> None:
    made = propose(archive, 0, tune(0, random.Random(1)) | {"kind": "tune"})
    parent = archive.agents.seeds()[0].id
    detail = f"the same answers as {parent} on digits"
    gate = Gate(gate="answers", rule="r", verdict="fail", detail=detail)
    archive.proposals.make_ready(made, {"end": "duplicate"}, [gate])
    archive.proposals.close(made, "duplicate", "the same answers")
    assert asked(KnobCredit(archive), archive, 0).knobs == {"learner.k0": 0.5}


def test_an_optimiser_finds_the_best_of_a_bowl() -> None:
    optimiser, chance = Optimiser(KNOBS), random.Random(3)

    def score(at: list[float]) -> float:
        return -sum((place - 0.8) ** 2 for place in at)

    for number in range(160):
        points = optimiser.ask(number)
        at = points[0] if points else [chance.random() for _ in range(KNOBS)]
        optimiser.tell(number, at, score(at), [0.5] * KNOBS)
    assert score(optimiser.ask(999)[0]) > -0.01


def test_told_in_any_order_it_asks_the_same() -> None:
    chance = random.Random(4)
    seen = [(n, [chance.random() for _ in range(KNOBS)], chance.random()) for n in range(37)]
    straight, shuffled = Optimiser(KNOBS), Optimiser(KNOBS)
    for one in seen:
        straight.tell(*one)
    chance.shuffle(seen)
    for one in seen:
        shuffled.tell(*one)
        shuffled.ask(0)
    assert shuffled.ask(5) == straight.ask(5) != straight.ask(6)


def test_an_optimiser_refuses_another_number_of_places() -> None:
    with pytest.raises(ValueError, match="expected 4 places, got 2"):
        Optimiser(KNOBS).tell(0, [0.1, 0.2], 0.0)


def test_the_kind_that_pays_is_favoured_and_uncertainty_keeps_the_others() -> None:
    credit = KindCredit()
    assert credit.favour() == {}
    for _ in range(6):
        credit.learn(["graft"], 0.1)
        credit.learn(["tune"], -0.1)
    few = credit.favour()["composed"]
    assert few["graft"] > 1 > few["tune"]
    assert few["crossover"] > 0.2  # hardly tried: it may still be the best
    for _ in range(300):
        credit.learn(["graft"], 0.1)
        credit.learn(["tune"], -0.1)
        credit.learn(["crossover"], 0.0)
    many = credit.favour()["composed"]
    assert many["graft"] > few["graft"] and many["tune"] == many["crossover"] == 0.0
    assert sum(many.values()) == pytest.approx(len(many))


def test_what_a_transplant_gains_says_nothing_of_the_kinds_for_other_learners() -> None:
    """A flat learner has much to gain; of a composed one none is made."""
    without, beside = KindCredit(), KindCredit()
    for credit in (without, beside):
        for kind in ("graft", "tune", "swap"):
            credit.learn([kind], 0.05)
    beside.learn(["transplant"], 0.9)
    assert beside.favour()["composed"] == without.favour()["composed"]
    assert beside.favour()["flat"]["transplant"] > without.favour()["flat"]["transplant"]


def test_a_chains_gain_is_shared_by_its_kinds() -> None:
    steps = [{"kind": "graft"}, {"kind": "tune"}, {"kind": "unheard-of"}]
    assert kinds_of({"chain": steps}) == ["graft", "tune"]
    assert kinds_of({"kind": "swap"}) == ["swap"] and kinds_of({"chain": 3}) == []


def test_the_report_counts_neutral_tunes_and_structures_made_before(archive: Archive) -> None:
    chance = random.Random(9)
    graft = {"kind": "graft", "of": {"structure": "s", "at": []}}
    made: list[tuple[dict[str, Any], float | None]] = [
        (tune(0, chance) | {"kind": "tune"}, 0.0),
        (tune(1, chance) | {"kind": "tune"}, 0.1),
        (tune(2, chance) | {"kind": "tune"}, None),
        (graft | {"made": {"structure": "t", "at": []}}, 0.1),
        (graft | {"made": {"structure": "t", "at": []}}, 0.1),
        (graft | {"made": {"structure": "u", "at": []}}, None),
    ]
    for number, (operation, gain) in enumerate(made):
        decide(archive, propose(archive, number, operation), gain)
    found = idle(archive)
    assert found == Idle(tunes=2, neutral_tunes=1, changes=3, regrafts=1)
    assert str(found).startswith("1 of 2 (50%) tunes moved no score; 1 of 3 (33%) changes")
