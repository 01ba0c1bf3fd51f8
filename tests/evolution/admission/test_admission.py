"""Admission: who becomes a member, as what, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from cambrian.archive import Gate
from cambrian.evolution.admission.neighbours import Neighbours
from cambrian.evolution.admission.results import SEARCH_SEEDS, Result, Results
from cambrian.evolution.admission.rules import ArchiveState, judge, least
from cambrian.evolution.admission.thresholds import ADMISSIONS, NEW, AdmissionName, Rules

BENCHMARKS = ("split-mnist", "digit-sums")
WOBBLE = (0.0, 0.02, -0.02, 0.01, -0.01)


def results(
    score: float,
    *,
    wobble: Sequence[float] = WOBBLE,
    min_accuracy: float = 0.5,
    flops: int = 10**9,
    per_benchmark: Mapping[str, float] | None = None,
) -> Results:
    rows = []
    for name in BENCHMARKS:
        base = (per_benchmark or {}).get(name, score)
        for seed, shift in zip(SEARCH_SEEDS, wobble, strict=True):
            values = {"min_accuracy": min_accuracy + shift, "forgetting": 0.1 + shift}
            rows.append(Result(name, seed, base + shift, values, flops))
    return Results(rows)


def alone(*members: Results, admitted: int = 0, novel: int = 0) -> ArchiveState:
    behaviours = [m.behaviour(BENCHMARKS, SEARCH_SEEDS).mean(axis=0) for m in members]
    return ArchiveState(Neighbours(np.array(behaviours)), admitted, novel)


def gate(gates: Sequence[Gate], name: str) -> Gate:
    return next(g for g in gates if g.gate == name)


def test_a_clearly_better_child_is_an_improvement() -> None:
    parent = results(0.40)
    found = judge(results(0.50), parent, BENCHMARKS, alone(parent), Rules())
    assert found.kind == "improvement"
    better = gate(found.gates, "improvement")
    assert better.verdict == "pass"
    assert better.value is not None and abs(better.value - 0.10) < 1e-9
    assert better.lower is not None and better.lower > 0


def test_a_gain_that_could_be_chance_is_no_improvement() -> None:
    parent = results(0.40)
    noisy = results(0.42, wobble=(0.2, -0.2, 0.15, -0.15, 0.0))
    found = judge(noisy, parent, BENCHMARKS, alone(parent), Rules())
    assert gate(found.gates, "improvement").verdict == "fail"
    assert found.kind != "improvement"


def test_a_level_child_is_a_stepping_stone() -> None:
    parent = results(0.40)
    level = results(0.39, wobble=(0.001, 0.021, -0.021, 0.009, -0.01))
    found = judge(level, parent, BENCHMARKS, alone(parent), Rules())
    assert found.kind == "stepping_stone"
    assert found.reason != NEW


def test_nothing_below_the_floor_is_admitted_unless_it_improves() -> None:
    parent = results(-0.2)
    found = judge(results(-0.2), parent, BENCHMARKS, alone(parent), Rules())
    assert found.kind is None
    assert found.reason == "not above the floor"


def test_a_worse_child_that_behaves_in_a_new_way_is_a_stepping_stone() -> None:
    parent = results(0.5)
    other = results(0.3, per_benchmark={"split-mnist": 0.25, "digit-sums": 0.6}, min_accuracy=0.9)
    found = judge(other, parent, BENCHMARKS, alone(parent), Rules())
    assert (found.kind, found.reason) == ("stepping_stone", NEW)


def test_novelty_alone_is_bounded_by_a_quota() -> None:
    parent = results(0.5)
    other = results(0.3, per_benchmark={"split-mnist": 0.25, "digit-sums": 0.6}, min_accuracy=0.9)
    found = judge(other, parent, BENCHMARKS, alone(parent, admitted=3, novel=1), Rules())
    assert found.kind is None
    assert "quota" in found.reason


def test_a_worse_child_like_its_parent_is_rejected_with_every_gate_kept() -> None:
    parent = results(0.5)
    found = judge(
        results(0.42), parent, BENCHMARKS, alone(parent, results(0.42)), Rules(neighbours=1)
    )
    assert found.kind is None
    assert [g.gate for g in found.gates] == [
        "improvement",
        "floor",
        "not_worse",
        "near",
        "novelty",
        "quota",
        "admission",
    ]
    *measured, told = found.gates
    assert all(g.rule and g.threshold is not None and g.value is not None for g in measured)
    assert told.rule == "the rule is stepping-stones" and told.verdict == "info"


def test_novelty_is_measured_in_units_of_seed_noise() -> None:
    parent = results(0.5)
    steady = judge(results(0.4), parent, BENCHMARKS, alone(parent), Rules())
    shaky = results(0.4, wobble=tuple(np.array(WOBBLE) * 8))
    noisy = judge(shaky, parent, BENCHMARKS, alone(parent), Rules())
    near, far = gate(noisy.gates, "novelty").value, gate(steady.gates, "novelty").value
    assert near is not None and far is not None and near < far


def test_no_novelty_makes_up_for_being_far_worse() -> None:
    parent = results(0.5)
    other = results(0.3, per_benchmark={"split-mnist": 0.05, "digit-sums": 0.6}, min_accuracy=0.9)
    found = judge(other, parent, BENCHMARKS, alone(parent), Rules())
    assert gate(found.gates, "novelty").verdict == "pass"
    assert (found.kind, gate(found.gates, "near").verdict) == (None, "fail")


BETTER, LEVEL = results(0.60), results(0.49, wobble=(0.001, 0.021, -0.021, 0.009, -0.01))
STRANGE = results(0.4, per_benchmark={"split-mnist": 0.25, "digit-sums": 0.6}, min_accuracy=0.9)
MIXED = results(0.5, per_benchmark={"split-mnist": 0.46, "digit-sums": 0.53})
BAD = results(-0.5)


@pytest.mark.parametrize(
    ("admission", "expected"),
    [
        ("stepping-stones", ("improvement", "stepping_stone", "stepping_stone", None)),
        ("as-good", ("improvement", "stepping_stone", None, None)),
        ("not-worse", ("improvement", "stepping_stone", None, None)),
        ("better", ("improvement", None, None, None)),
        ("pareto", ("improvement", None, None, None)),
        ("keep-all", ("improvement", "stepping_stone", "stepping_stone", "stepping_stone")),
    ],
)
def test_every_rule_admits_what_its_routes_say(
    admission: AdmissionName, expected: tuple[str | None, ...]
) -> None:
    parent = results(0.5)
    for child, kind in zip((BETTER, LEVEL, STRANGE, BAD), expected, strict=True):
        found = judge(child, parent, BENCHMARKS, alone(parent), Rules(), admission=admission)
        assert found.kind == kind, found.reason
        assert found.reason
        assert gate(found.gates, "admission").rule == f"the rule is {admission}"


def test_pareto_takes_what_is_better_somewhere_and_worse_nowhere() -> None:
    parent = results(0.5)

    def kind(child: Results) -> str | None:
        told = judge(child, parent, BENCHMARKS, alone(parent), Rules(), admission="pareto")
        return told.kind

    assert kind(MIXED) == "stepping_stone"
    assert kind(results(0.5, per_benchmark={"split-mnist": 0.40, "digit-sums": 0.59})) is None
    assert kind(results(0.5, per_benchmark={"split-mnist": 0.46, "digit-sums": 0.50})) is None


def test_as_good_asks_for_a_mean_and_for_no_proof() -> None:
    """What varies too much between seeds to be shown to be level is level all the same."""
    parent = results(0.5)
    wild = results(0.47, wobble=(0.2, -0.2, 0.15, -0.15, 0.0))

    def kind(child: Results, admission: AdmissionName) -> str | None:
        return judge(child, parent, BENCHMARKS, alone(parent), Rules(), admission=admission).kind

    assert kind(wild, "as-good") == "stepping_stone"
    assert kind(wild, "not-worse") is None
    assert kind(results(0.44), "as-good") is None


def test_another_improver_is_no_reason_for_a_rule_that_asks_for_more() -> None:
    parent = results(0.5)
    for admission in ADMISSIONS:
        found = judge(
            parent,
            parent,
            BENCHMARKS,
            alone(parent),
            Rules(),
            same_learner=True,
            admission=admission,
        )
        assert (found.kind is None) == (admission == "better")


def test_below_the_least_difference_no_route_leads_in() -> None:
    """What the rule that sends variants away early goes by."""
    usual = Rules()
    assert least("stepping-stones", usual, room=True) == -usual.screen_margin
    assert least("stepping-stones", usual, room=False) == -usual.margin
    assert (
        least("not-worse", usual, room=True) == least("pareto", usual, room=True) == -usual.margin
    )
    assert least("as-good", usual, room=True) == -usual.margin
    assert least("better", usual, room=True) == 0.0
    assert least("keep-all", usual, room=True) is None
    parent = results(0.5)
    for admission in ADMISSIONS:
        for room, novel in ((True, 0), (False, 1)):
            bound = least(admission, usual, room=room)
            if bound is None:
                continue
            state = alone(parent, admitted=0, novel=novel)
            for wobble in (WOBBLE, (0.0,) * 5):
                child = results(0.5 + bound - 0.001, wobble=wobble, min_accuracy=0.9)
                assert (
                    judge(child, parent, BENCHMARKS, state, usual, admission=admission).kind is None
                )
