"""What a learner may not know it is not sent; streams that drift, and streams looked at closely."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from cambrian.agents.seeds import all_seed_names, load_seed
from cambrian.errors import NotFound, UsageError
from cambrian.evaluators import benchmarks, data, registry
from cambrian.evaluators.benchmarks.base import generator
from cambrian.evaluators.benchmarks.drift import DRIFTS
from cambrian.evaluators.benchmarks.scenarios import MODES, REVEAL
from cambrian.evaluators.benchmarks.streams import CONTROLS, SCENARIOS
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.conformance import Watching, watch
from cambrian.evaluators.job import drive, evaluate, told
from cambrian.evaluators.protocols import prequential, tasks
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

BY_MODE = {scenario.mode.name: scenario for scenario in SCENARIOS}

LEARNER = """\
import torch
from cambrian.agents.contract import Learner as Base


class Learner(Base):
    batches = told = 0

    def observe(self, x, y, task=None):
        {observe}

    def predict(self, x, task=None):
        {predict}
        return torch.zeros(len(x), self.spec.outputs)

    def task_boundary(self):
        self.told += 1
"""


def judged(benchmark: str, observe: str = "pass", predict: str = "pass") -> Measurement:
    with Session(PlainBackend()) as session:
        session.install({"learner.py": LEARNER.format(observe=observe, predict=predict)})
        return evaluate(session, Unit(benchmark, "smoke", 0))


def test_every_mode_of_the_survey_has_a_stream() -> None:
    assert set(BY_MODE) == set(MODES)
    assert set(MODES) == {
        *("task-incremental", "domain-incremental", "class-incremental", "instance-incremental"),
        *("online", "task-free", "blurred"),
    }


@pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))
def test_what_a_mode_does_not_tell_is_not_sent(mode: Any) -> None:
    scenario = BY_MODE[mode.name]
    channel, _ = watch(scenario, "smoke", 1)
    numbers = set(channel.named)
    assert numbers == (set(range(scenario.split.tasks)) if mode.identity else {None})
    assert any(tag == "boundary" for tag, _ in channel.shown) == mode.boundaries
    spec = told(dataclasses.replace(scenario.stream("smoke"), flops=10**9))
    assert spec.task_identity == mode.identity
    assert spec.boundaries == mode.boundaries
    assert (spec.observations, spec.flops > 0) == (
        (channel.observed, True) if mode.horizon else (0, False)
    )


@pytest.mark.parametrize("name", [s.name for s in SCENARIOS if s.mode.once])
def test_where_samples_come_once_a_few_are_revealed_and_taken_back(name: str) -> None:
    channel, _ = watch(benchmarks.benchmark(name), "full", 1)
    revealed = [file for file in channel.files if "y" in file]
    assert max(len(file["y"]) for file in revealed) == REVEAL
    for file in revealed:
        assert np.array_equal(file["order"], np.arange(len(file["y"])))
    assert channel.open == {}


def test_what_is_asked_together_says_nothing_by_its_place() -> None:
    """The rows of old and new tasks are mixed, and mixed anew for each file."""
    bench = benchmarks.benchmark("split-mnist")
    channel, _ = watch(bench, "full", 1)
    assert isinstance(bench, tasks.TaskStream)
    made = bench.tasks("full", generator("split-mnist", "full", 1))
    taught = [{row.tobytes() for row in task.train_x} for task in made]
    images = data.mnist_5k()
    label = {x.tobytes(): int(y) for x, y in zip(images.test.x, images.test.y, strict=True)}
    classes = [
        {int(y) for x, y in zip(images.train.x, images.train.y, strict=True) if x.tobytes() in rows}
        for rows in taught
    ]
    last = [file for file in channel.files if "y" not in file][-1]["x"]
    task = [next(t for t, c in enumerate(classes) if label[x.tobytes()] in c) for x in last]
    assert sorted(set(task)) == [0, 1, 2, 3, 4]
    changes = sum(a != b for a, b in itertools.pairwise(task))
    assert changes > 0.7 * len(task)


@pytest.mark.parametrize(
    ("benchmark", "uses", "error"),
    [
        ("split-mnist-domains", {"observe": "self.head = task + 1"}, "TypeError"),
        ("split-mnist-domains", {"predict": "self.head = task + 1"}, "TypeError"),
        ("free-mnist", {"observe": "1 / self.spec.observations"}, "ZeroDivisionError"),
        ("free-mnist", {"observe": "1 / self.spec.flops"}, "ZeroDivisionError"),
        (
            "free-mnist",
            {"observe": "self.batches += 1; 1 / (self.told + (self.batches < 6))"},
            "ZeroDivisionError",
        ),
    ],
    ids=["task-learning", "task-asked", "horizon", "flops", "boundary"],
)
def test_a_learner_that_uses_what_it_was_not_sent_fails(
    benchmark: str, uses: dict[str, str], error: str
) -> None:
    found = judged(benchmark, **uses)
    assert (found.verdict, found.cause) == ("failed", "exception")
    assert error in found.reason


def test_a_learner_that_uses_what_it_was_sent_is_scored() -> None:
    uses = "self.head = task + 1 / self.spec.observations + 1 / self.spec.flops"
    found = judged("split-mnist-tasks", observe=uses, predict="self.head = task + 1")
    assert found.verdict == "scored", found.reason


def _observed(channel: Watching, key: str) -> Any:
    """The rows of x, or the labels, in the order in which they are observed."""
    return np.concatenate([f[key][f["order"]] for f in channel.files if "order" in f])


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("split-mnist", 320),
        ("split-mnist-tasks", 320),
        ("free-mnist", REVEAL),
        ("split-mnist+each-batch", 32),
        ("split-mnist-tasks+each-batch", 32),
        ("free-mnist+each-batch", 32),
        ("digit-sums", 1280),
        ("blurry-fashion", REVEAL),
        ("blurry-digits", 640),
    ],
)
def test_no_more_is_revealed_than_is_observed_before_the_next_probe(name: str, rows: int) -> None:
    """Who sees further could have learned, at a probe, what comes after it."""
    bench = benchmarks.benchmark(name)
    channel, _ = watch(bench, "full", 1)
    assert max(len(file["y"]) for file in channel.files if "y" in file) == rows
    assert isinstance(bench, tasks.TaskStream)
    assert rows <= bench.protocol.batch * bench.protocol.probe_every


@pytest.mark.parametrize("name", ["split-mnist", "split-mnist-tasks", "free-mnist"])
def test_a_stream_probed_after_every_batch_is_the_same_stream(name: str) -> None:
    usual, close = benchmarks.benchmark(name), benchmarks.benchmark(f"{name}+each-batch")
    (far, first), (near, second) = watch(usual, "smoke", 3), watch(close, "smoke", 3)
    assert close.version == usual.version and close.stream("full") == usual.stream("full")
    assert all(np.array_equal(_observed(far, key), _observed(near, key)) for key in ("x", "y"))
    batches = near.observed // 32 + (near.observed % 32 > 0)
    assert len(second.matrices["probes"]) == batches > len(first.matrices["probes"])
    assert "learning_curve_area" in second.metrics and "learning_curve_area" not in first.metrics
    assert benchmarks.stem(close.name) == name


def test_a_stream_without_tasks_cannot_be_probed_after_every_batch() -> None:
    with pytest.raises(NotFound, match="no stream of tasks"):
        benchmarks.benchmark("label-drift+each-batch")


STREAMS_OF_TASKS = [
    bench.name
    for family in benchmarks.FAMILIES
    for bench in family
    if isinstance(bench, tasks.TaskStream)
]


@pytest.mark.parametrize("name", STREAMS_OF_TASKS)
def test_every_stream_of_tasks_can_be_scored_probed_after_every_batch(name: str) -> None:
    usual, close = (benchmarks.benchmark(n) for n in (name, f"{name}+each-batch"))
    far, near = calibration(usual), calibration(close)
    assert (near.floor, near.ceiling) == (far.floor, far.ceiling)
    assert near.flops > far.flops  # what the probes cost
    if not close.sealed_only and not benchmarks.missing(close):
        assert benchmarks.search_names([close.name]) == [close.name]


def test_one_that_was_never_measured_is_refused_with_the_command_that_does_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = dataclasses.replace(SCENARIOS[0], name="nowhere")
    monkeypatch.setitem(registry._ALL, stream.name, stream)
    with pytest.raises(UsageError, match=r"tools/calibrate.py nowhere\+each-batch does"):
        benchmarks.search_names(["nowhere+each-batch"])


def test_the_gap_between_two_tasks_is_in_the_metrics() -> None:
    """A learner that forgets the first task for one batch, and then has it back."""
    probes = [(0, np.array([a])) for a in (0.2, 0.9)]
    probes += [(1, np.array([a, b])) for a, b in ((0.3, 0.4), (0.9, 0.8), (0.9, 0.9))]
    matrix = np.array([[0.9, np.nan], [0.9, 0.9]])
    found = tasks.judge(matrix, probes, before=[0.1, 0.0]).metrics
    assert found["accuracy"] == pytest.approx(0.9)
    assert found["forgetting"] == pytest.approx(0.0)
    assert found["min_accuracy"] == pytest.approx(0.3)
    assert found["worst_case_accuracy"] == pytest.approx(0.9 / 2 + 0.3 / 2)
    assert found["windowed_forgetting_10"] == pytest.approx((0.6 - 0.1) / 2)
    assert found["windowed_plasticity_10"] == pytest.approx((0.7 + 0.5) / 2)
    # two batches at least in each: Z_0 = (.1 + 0)/2, Z_1 = (.2 + .4)/2, Z_2 = (.9 + .8)/2
    assert found["learning_curve_area"] == pytest.approx((0.05 + 0.3 + 0.85) / 3)


def test_probes_are_kept_so_that_a_metric_can_be_worked_out_again() -> None:
    _, outcome = watch(benchmarks.benchmark("split-mnist"), "smoke", 0)
    table = outcome.matrices["probes"]
    again = [(int(row[0]), row[1:][~np.isnan(row[1:])].astype(np.float64)) for row in table]
    found = tasks.stability(again)
    for name, value in found.items():
        assert value == pytest.approx(outcome.metrics[name], abs=1e-6)


@pytest.mark.parametrize("agent", all_seed_names())
def test_where_there_is_nothing_to_learn_no_seed_agent_is_above_chance(agent: str) -> None:
    """Labels drawn at random, in class- and domain-incremental streams; 700 test images."""
    assert [stream.name for stream in CONTROLS] == ["online-mnist-noise", "permuted-mnist-noise"]
    with Session(PlainBackend()) as session:
        session.install(load_seed(agent))
        for stream in CONTROLS:
            free = dataclasses.replace(stream.stream("full"), flops=1 << 60, memory_bytes=1 << 40)
            with session.job() as channel:
                outcome, _ = drive(channel, stream, free, Unit(stream.name, "full", 1))
            tested = 700 if stream.split.tasks == 5 else 2000
            assert abs(outcome.raw - 0.1) < 4 * (0.1 * 0.9 / tested) ** 0.5


# drift


def test_a_fall_and_the_way_back_are_measured() -> None:
    right = np.ones(60, dtype=np.float32)
    right[20:25] = 0.0  # at the first drift all wrong for five batches; nothing at the second
    found = prequential.judge(right, [20, 40]).metrics
    assert found["accuracy"] == pytest.approx(55 / 60)
    assert found["drift_fall"] == pytest.approx((0.5 + 0.0) / 2)
    assert found["recovery_batches"] == pytest.approx((5 + 0) / 2)


def test_a_learner_that_never_recovers_takes_as_long_as_the_concept_lasts() -> None:
    right = np.ones(60, dtype=np.float32)
    right[30:] = 0.0
    assert prequential.judge(right, [30]).metrics["recovery_batches"] == 30


@pytest.mark.parametrize("stream", DRIFTS, ids=[d.name for d in DRIFTS])
def test_a_drift_changes_what_labels_mean_and_its_oracle_sees_none(stream: Any) -> None:
    series = stream.series("full", 1)
    assert series.x.shape == (5000, stream.inputs) and series.x.dtype == np.float32
    assert np.isfinite(series.x).all() and abs(series.x).max() < 20
    assert set(series.y.tolist()) == set(range(stream.outputs))
    oracle = stream.bounds.oracle
    assert oracle is not None and not oracle.drifting
    steady = oracle.series("full", 1)
    assert len(steady.drifts) == 0 and len(steady.y) == 5000
    assert not np.array_equal(steady.x, series.x) or not np.array_equal(steady.y, series.y)


def test_under_drift_the_same_input_gets_another_label() -> None:
    stagger = next(d for d in DRIFTS if d.name == "stagger-drift")
    series = stagger.series("full", 1)
    meanings: dict[bytes, set[int]] = {}
    for x, y in zip(series.x, series.y, strict=True):
        meanings.setdefault(x.tobytes(), set()).add(int(y))
    assert len(meanings) == 27
    assert sum(len(labels) == 2 for labels in meanings.values()) > 20
    steady = stagger.bounds.oracle.series("full", 1)  # type: ignore[union-attr]
    fixed = {(x.tobytes(), int(y)) for x, y in zip(steady.x, steady.y, strict=True)}
    assert len(fixed) == 27


def test_columns_change_places_and_labels_their_names_per_seed() -> None:
    led = next(d for d in DRIFTS if d.name == "led-drift")
    first, second = (led.series("full", seed) for seed in (1, 2))
    assert not np.array_equal(first.x[:50], second.x[:50])


# data that may be missing


def test_a_search_on_data_that_is_not_here_is_refused_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking = dataclasses.replace(data.source("fashion-mnist"), present=lambda: False)
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", lacking)
    with pytest.raises(NotFound, match="apt-get install dataset-fashion-mnist"):
        benchmarks.search_names(["split-mnist", "split-fashion"])
    assert benchmarks.search_names(["split-mnist"]) == ["split-mnist"]
    assert [s.name for s in benchmarks.missing(benchmarks.benchmark("split-fashion"))] == [
        "fashion-mnist"
    ]


def test_what_was_never_calibrated_can_be_run_and_not_searched_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(benchmarks, "waiting", lambda: ("online-mnist",))
    assert "online-mnist" not in benchmarks.names()
    assert benchmarks.benchmark("online-mnist").name == "online-mnist"
    with pytest.raises(UsageError, match="never calibrated"):
        benchmarks.search_names(["online-mnist"])


def test_the_default_benchmarks_of_a_run_are_three() -> None:
    assert benchmarks.search_names() == ["split-mnist", "digit-sums", "label-drift"]


def test_every_benchmark_names_data_that_is_known() -> None:
    for name in benchmarks.names():
        for source in benchmarks.benchmark(name).needs:
            assert data.source(source).name == source
