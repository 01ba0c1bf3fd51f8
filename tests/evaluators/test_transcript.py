"""Recorded answers give the same figures again, by whatever benchmark they were asked for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import numpy as np
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.agents.spec import TaskSpec
from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.transcript import LIMIT_BYTES, Transcript, recompute
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.channel import Cost
from cambrian.sandbox.session.session import Session

STREAM = TaskSpec("classification", (4,), 3)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(PlainBackend()) as found:
        found.install(load_seed("replay"))
        yield found


@pytest.fixture(scope="module", params=["split-mnist", "label-drift", "blurry-digits"])
def evaluation(request: pytest.FixtureRequest, session: Session) -> Measurement:
    found = evaluate(session, Unit(request.param, "smoke", 0))
    assert found.verdict == "scored", found.reason
    return found


def test_every_figure_comes_out_of_the_record_to_the_last_bit(evaluation: Measurement) -> None:
    unit = evaluation.unit
    found = recompute(benchmark(unit.benchmark), unit.stage, unit.seed, evaluation.predictions)
    assert found.raw == evaluation.raw
    assert found.metrics == evaluation.metrics
    for kind in ("curves", "matrices"):
        one, other = getattr(found, kind), getattr(evaluation, kind)
        assert one.keys() == other.keys()
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name])


def test_the_record_survives_the_wire_and_is_small(evaluation: Measurement) -> None:
    text = json.dumps(evaluation.to_json())
    found = Measurement.from_json(json.loads(text))
    assert found.predictions.keys() == evaluation.predictions.keys()
    for name, array in evaluation.predictions.items():
        np.testing.assert_array_equal(found.predictions[name], array)
        assert found.predictions[name].dtype == array.dtype
    assert len(json.dumps(evaluation.to_json()["predictions"])) < 20_000


def test_the_record_holds_no_true_label(evaluation: Measurement) -> None:
    assert set(evaluation.predictions) == {"labels", "confidence", "costs"}


def test_answers_of_another_run_are_refused(evaluation: Measurement) -> None:
    kept = dict(evaluation.predictions)
    bench = benchmark(evaluation.unit.benchmark)
    with pytest.raises(UsageError, match="more than was answered"):
        recompute(bench, "smoke", 0, kept | {"labels": kept["labels"][:-5]})
    longer = np.concatenate([kept["labels"], kept["labels"][:5]])
    with pytest.raises(UsageError, match="less than was answered"):
        recompute(bench, "smoke", 0, kept | {"labels": longer})
    with pytest.raises(UsageError, match="no answers were kept"):
        recompute(bench, "smoke", 0, {})


def test_probes_that_repeat_themselves_take_next_to_no_room() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(500, 10)).astype(np.float32)
    transcript = Transcript(dataclasses.replace(STREAM, outputs=10))
    for step in range(50):
        scores[step] = -scores[step]
        transcript.answer(scores.copy())
    labels = transcript.packed()["labels"]
    assert labels.shape == (25_000,)
    assert np.count_nonzero(labels) < 1000


def test_values_of_a_regression_are_kept_as_they_are() -> None:
    transcript = Transcript(dataclasses.replace(STREAM, kind="regression", outputs=1))
    values = np.array([[0.1], [-3.5]], dtype=np.float32)
    transcript.answer(values)
    transcript.cost(Cost(12, 34))
    found = transcript.packed()
    np.testing.assert_array_equal(found["values"], values.ravel())
    assert found["costs"].tolist() == [[12, 34]]


def test_a_record_without_end_is_not_kept() -> None:
    transcript = Transcript(STREAM)
    scores = np.zeros((1 << 20, 3), np.float32)
    for _ in range((LIMIT_BYTES >> 20) + 2):
        transcript.answer(scores)
    assert transcript.packed() == {}
