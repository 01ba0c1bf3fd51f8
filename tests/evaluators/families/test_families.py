"""Families: what a seed draws, and what every drawn stream keeps."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.agents.references import OWN, load_reference
from cambrian.agents.seeds import load_seed
from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.benchmarks import benchmark, sealed_names, search_names
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.conformance import watch
from cambrian.evaluators.families import FAMILIES, Family
from cambrian.evaluators.families.scales import COLUMNS, load
from cambrian.evaluators.families.sources import MNIST, Clusters, Veil
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.stages import STAGES
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

SEARCH = [family for family in FAMILIES if not family.sealed_only]
SEALED = [family for family in FAMILIES if family.sealed_only]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_a_seed_draws_the_same_stream_for_every_agent(family: Family) -> None:
    first = [a for _, a in watch(family, "smoke", 0)[0].shown]
    again = [a for _, a in watch(family, "smoke", 0)[0].shown]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_seeds_draw_other_streams_and_the_stages_of_a_search_do_not(family: Family) -> None:
    drawn = [str(dict(family.attempt("full", seed, 0).draws)) for seed in range(12)]
    assert len(set(drawn)) > 3
    for stage in ("smoke", "screen", "race"):
        assert str(dict(family.attempt(stage, 3, 0).draws)) == drawn[3]
    sealed = [str(dict(family.attempt("sealed", seed, 0).draws)) for seed in range(12)]
    assert sealed != drawn


@pytest.mark.parametrize("family", SEARCH, ids=lambda f: f.name)
def test_a_learner_is_told_of_the_stream_that_its_seed_draws(family: Family) -> None:
    for seed in (1, 2):
        told = family.stream_of("full", seed)
        channel, outcome = watch(family, "full", seed)
        shapes = {a.shape[1:] for what, a in channel.shown if what.endswith("x")}
        assert shapes == {told.input_shape}
        if told.observations:
            assert told.observations - channel.observed in (0, told.batch_size)
        numbers = [v for v in family.draws("full", seed).values() if isinstance(v, int | float)]
        assert len([name for name in outcome.metrics if name.startswith("drawn_")]) == len(numbers)


@pytest.mark.parametrize("family", SEARCH, ids=lambda f: f.name)
def test_every_seed_of_a_search_has_a_scale_of_its_own(family: Family) -> None:
    scales = [calibration(family, "full", seed) for seed in (*STAGES["screen"], *STAGES["full"])]
    assert len({(s.floor, s.ceiling, s.flops) for s in scales}) > 1
    assert calibration(family, "smoke", 0) == calibration(family, "screen", 0)
    for scale in scales:
        assert scale.ceiling - scale.floor >= 0.3
        assert scale.normalise(scale.floor) == 0
        assert scale.flops > 0
        assert scale.state_allowed > scale.state_bytes
    rows = load(family.name, family.version)["search"].values()
    assert all(len(row) == len(COLUMNS) for row in rows)


def test_a_stream_of_a_family_is_cheap() -> None:
    """Processor seconds of experience replay, as they were measured on a busy machine."""
    costs = [
        row[COLUMNS.index("cpu_s")]
        for family in SEARCH
        for row in load(family.name, family.version).get("search", {}).values()
    ]
    assert float(np.median(costs)) <= 0.5
    assert max(costs) <= 1.0


def test_a_seed_that_was_never_measured_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"seed 999 .*calibrate\.py classes-in-turn --also 999"):
        calibration(benchmark("classes-in-turn"), "full", 999)


def test_an_evaluation_scores_by_the_scale_of_its_own_seed_and_says_what_was_drawn() -> None:
    family = benchmark("rare-classes")
    with Session(PlainBackend()) as session:
        session.install(load_seed("finetune"))
        found = evaluate(session, Unit(family.name, "full", 2))
    assert found.verdict == "scored"
    assert found.raw is not None
    assert found.score == calibration(family, "full", 2).normalise(found.raw)
    assert found.provenance["drawn"] == dict(family.draws("full", 2))


@pytest.mark.parametrize("name", OWN)
def test_the_shortcuts_run(name: str) -> None:
    with Session(PlainBackend()) as session:
        session.install(load_reference(name))
        for family in ("blurry-classes", "renamed-classes"):
            found = evaluate(session, Unit(family, "smoke", 0))
            assert found.verdict == "scored", found.reason


def test_a_reference_that_is_none_is_refused() -> None:
    with pytest.raises(NotFound, match="expected a reference agent"):
        load_reference("nobody")


def test_searches_cannot_draw_the_sealed_part() -> None:
    drawn = {family.draws("full", seed).get("source") for family in SEARCH for seed in range(5)}
    assert {"mnist-5k", "clusters"} <= drawn
    assert not {"mnist1d", "glyphs", "shapes"} & drawn
    assert len(SEALED) >= 3
    with pytest.raises(UsageError, match="sealed"):
        search_names(["radial-motion"])
    known = [f.name for f in SEALED if load(f.name, f.version)]
    assert sealed_names(["short-tasks"]) == ["short-tasks", *known]
    assert not set(known) & set(sealed_names(["split-mnist"]))


def test_a_veil_misleads_nearness_and_leaves_what_there_is_to_learn() -> None:
    """Of two inputs of one class the glare is what differs most, and it is in a few directions."""
    images = MNIST.load().train
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(images.y))[:1500]
    x, y, mean = images.x[rows], images.y[rows], images.x.mean(0)
    veiled = Veil(turned=True, glare=3.0, seed=1).over(x, mean, rng)
    assert _nearest(x[:1000], y[:1000], x[1000:], y[1000:]) > 0.85
    assert _nearest(veiled[:1000], y[:1000], veiled[1000:], y[1000:]) < 0.3
    flat = (veiled - veiled.mean(0)).reshape(len(veiled), -1)
    spectrum = np.linalg.svd(flat, compute_uv=False) ** 2
    assert spectrum[:8].sum() > 0.6 * spectrum.sum()
    assert np.array_equal(Veil().over(x, mean, rng), x)


def test_made_up_classes_are_the_same_in_all_three_parts() -> None:
    made = Clusters(5, 2, 3, 0.0, seed=7).load()
    for part in (made.test, made.sealed):
        assert _nearest(made.train.x, made.train.y, part.x, part.y) > 0.8
    other = Clusters(5, 2, 3, 0.0, seed=8).load()
    assert _nearest(made.train.x, made.train.y, other.test.x, other.test.y) < 0.5


def _nearest(x: np.ndarray, y: np.ndarray, asked: np.ndarray, right: np.ndarray) -> float:
    """The share of inputs whose nearest neighbour has the right label."""
    keys, queries = x.reshape(len(x), -1), asked.reshape(len(asked), -1)
    near = (2 * queries @ keys.T - (keys**2).sum(1)).argmax(1)
    return float((y[near] == right).mean())
