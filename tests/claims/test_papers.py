"""Each claim's experiment runs on a tiny setting, and its own learners are what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import LEARNER
from cambrian.claims import store
from cambrian.claims.agents import patched, seed_agent
from cambrian.claims.claim import Figures
from cambrian.claims.papers import (
    continual_survey,
    l2metrics,
    nevis,
    random_features,
    stability_gap,
)
from cambrian.claims.registry import claim, claims
from cambrian.claims.rig import Rig, Run
from cambrian.claims.running import measure
from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.benchmarks.mixed_tasks import STATIONS

SEEDS = 2


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """The same learners' sessions for all claims, on streams as short as a smoke stage's."""
    with Rig("smoke") as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("name", list(claims()))
def test_an_experiment_runs_and_every_test_finds_its_figures(
    name: str, rig: Rig, tmp_path: Path
) -> None:
    result = measure(claim(name), rig=rig, seeds=SEEDS, folder=tmp_path)
    assert len(result.findings) == len(claim(name).tests)
    for finding in result.findings:
        assert finding.estimate.seeds == SEEDS
        assert math.isfinite(finding.estimate.mean)
        assert finding.verdict in ("holds", "not settled", "did not reproduce")
    assert set(result.figures) == set(claim(name).conditions)


def test_the_example_of_the_documentation_is_a_claim(rig: Rig, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
    example = text.split("```python\n", 1)[1].split("```", 1)[0]
    assert len(example.splitlines()) <= 60
    space: dict[str, Any] = {}
    exec(compile(example, "claims.md", "exec"), space)
    result = measure(space["CLAIM"], rig=rig, seeds=SEEDS, folder=tmp_path)
    assert result.findings[0].says == "averaged weights beat the last ones"


@pytest.mark.parametrize("name", list(claims()))
def test_what_is_stored_is_judged_by_the_rule(name: str) -> None:
    result = store.load(name)
    if result is None:  # docs/literature.md says that it is not measured
        return
    found = claim(name).judge(Figures(result.pieces()))
    assert [f.verdict for f in found] == [f.verdict for f in result.findings]
    assert [f.says for f in found] == [f.says for f in result.findings]
    for now, then in zip(found, result.findings, strict=True):
        assert now.estimate.mean == pytest.approx(then.estimate.mean)
        assert now.estimate.lower == pytest.approx(then.estimate.lower)
    assert result.seeds >= claim(name).seeds


def test_the_same_seed_gives_the_same_figures() -> None:
    condition = claim("nevis").conditions["nearest"]
    with Rig("smoke") as one, Rig("smoke") as other:
        assert condition(one, 100) == condition(other, 100)
        assert condition(one, 100) != condition(one, 101)


def test_a_learner_cannot_choose_where_there_is_no_choice(rig: Rig) -> None:
    """On the first task all start alike, and on the second the nearest earlier task is the last."""
    first, second = (station.name for station in STATIONS[:2])
    previous, independent, nearest = (
        claim("nevis").conditions[name](rig, 100) for name in ("previous", "independent", "nearest")
    )
    assert previous[first] == independent[first] == nearest[first]
    assert previous[second] == nearest[second]
    assert previous["log10_flops"] == independent["log10_flops"] < nearest["log10_flops"]


def test_the_front_is_counted_seed_by_seed() -> None:
    cheap, dear = {"log10_flops": 1.0, "error": 0.5}, {"log10_flops": 2.0, "error": 0.4}
    rest = {"log10_flops": 3.0, "error": 0.9}
    names = list(nevis.LEARNERS)
    pieces = {name: [rest, rest] for name in names}
    pieces |= {names[0]: [cheap, dear], names[1]: [dear, cheap]}
    assert nevis.on_the_front(Figures(pieces)) == [1.0, 1.0]
    pieces[names[1]] = [rest, rest]
    assert nevis.on_the_front(Figures(pieces))[0] == 0.0


@pytest.mark.parametrize("name", ["finetune", "replay"])
def test_without_a_told_task_heads_change_nothing(name: str, rig: Rig) -> None:
    plain, headed = (
        Run(maker, continual_survey.CLASS)(rig, 100)
        for maker in (seed_agent(name), continual_survey.with_heads(name))
    )
    assert plain == headed


def test_with_heads_a_task_is_only_asked_about_its_own(rig: Rig) -> None:
    """Chance is a half with two labels of its own: a head of ten outputs would be below."""
    made = continual_survey.with_heads("finetune")()
    outcome = rig.run(made, benchmark(continual_survey.TASK), 100)
    assert outcome.raw > 0.4
    assert continual_survey.above_chance(Outcome(0.75), 0.5) == {"above_chance": 0.5}


def test_an_expert_beside_itself_performs_as_itself(rig: Rig) -> None:
    expert = rig.run(l2metrics.EXPERT(), benchmark(l2metrics.STREAM), 100)
    found = l2metrics.lifelong(expert, expert)
    assert found["relative_performance"] == pytest.approx(1.0)
    assert found.get("sample_efficiency", 0.0) <= 1.0  # 0 on a task whose curve falls


def test_no_strength_is_the_composed_agent_without_parts() -> None:
    assert "ElasticWeights" not in l2metrics.Strength(0.0).learner[LEARNER]
    assert "ElasticWeights(strength=30.0)" in l2metrics.Strength(30.0).learner[LEARNER]


def test_a_slope_over_strengths_is_worked_out_by_hand() -> None:
    # 0, 1, 2, 3, 4 rises by 1 a step; its mirror falls by 1
    pieces = {
        l2metrics.name(strength): [{"x": float(at)}, {"x": -float(at)}]
        for at, strength in enumerate(l2metrics.STRENGTHS)
    }
    assert l2metrics.slope("x")(Figures(pieces)) == pytest.approx([1.0, -1.0])
    assert l2metrics.slope("x", -1.0)(Figures(pieces)) == pytest.approx([-1.0, 1.0])


def test_fall_and_recovery_of_the_first_task_are_of_its_own_probes() -> None:
    probes = np.array(
        [[0, 0.2, np.nan], [0, 0.9, np.nan], [1, 0.5, 0.1], [1, 0.4, 0.6], [1, 0.7, 0.9]]
    )
    matrix = np.array([[0.8, np.nan], [0.7, 0.9]])
    outcome = Outcome(0.8, {"min_accuracy": 0.4}, {}, {"probes": probes, "accuracy": matrix})
    assert stability_gap.first_task(outcome) == pytest.approx({"fall": 0.4, "recovered": 0.3})


def test_half_a_gap_is_held_against_the_other() -> None:
    er, ace = (f"{name}, {stability_gap.CLOSE_UP}" for name in ("ER", "ER-ACE"))
    pieces = {
        er: [{"accuracy": 0.8, "min_accuracy": 0.4}],
        ace: [{"accuracy": 0.8, "min_accuracy": 0.7}],
    }
    assert stability_gap.halved(Figures(pieces)) == pytest.approx([0.1])


def test_scores_are_sorted_seed_by_seed() -> None:
    pieces = {
        stream: [{"score": float(at)}, {"score": -float(at)}]
        for at, stream in enumerate(random_features.STREAMS)
    }
    ascending, mirrored = random_features.sorted_scores(Figures(pieces))
    assert (ascending[1], ascending[-2]) == (1.0, 6.0)
    assert (mirrored[1], mirrored[-2]) == (-6.0, -1.0)


def test_a_patch_that_no_longer_fits_its_learner_is_an_error() -> None:
    assert "lr" in load_seed("finetune")[LEARNER]
    with pytest.raises(UsageError, match="this once in the learner's code, got it 0 times"):
        patched(seed_agent("finetune"), {"no such line": ""})()
