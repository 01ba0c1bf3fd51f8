"""Which metrics an evaluation records, that they are those of the definitions, and where there are
none."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from importlib import resources

import numpy as np
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.evaluators import metrics
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.conformance import watch
from cambrian.evaluators.job import allowed, drive, evaluate
from cambrian.evaluators.metrics.catalogue import SECTIONS
from cambrian.evaluators.protocols.tasks import judge, with_untrained
from cambrian.evaluators.transcript import recompute
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

CLOSE = Unit("split-mnist+each-batch", "smoke", 0)

# Two tasks, three probes in each; task 0 is at 0.9 when it has been learned, at 0.5 in the end.
MATRIX = np.array([[0.9, np.nan], [0.5, 0.8]])
PROBES = [(0, np.array([a])) for a in (0.2, 0.6, 0.9)]
PROBES += [(1, np.array([a, b])) for a, b in ((0.7, 0.4), (0.6, 0.6), (0.5, 0.8))]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(PlainBackend()) as found:
        found.install(load_seed("replay"))
        yield found


@pytest.fixture(scope="module")
def close(session: Session) -> Measurement:
    found = evaluate(session, CLOSE)
    assert found.verdict == "scored", found.reason
    return found


def test_forward_transfer_is_what_was_known_before_less_what_an_untaught_learner_knows() -> None:
    outcome = judge(MATRIX, PROBES, before=[0.1, 0.35])
    found = with_untrained(outcome, np.array([0.1, 0.15]))
    assert found.metrics["forward_transfer"] == pytest.approx(0.35 - 0.15)
    assert "forward_transfer" not in outcome.metrics
    assert found.curves["untrained_accuracy"].tolist() == pytest.approx([0.1, 0.15])


def test_a_task_that_is_tested_after_each_later_one_has_maintenance_and_backward_transfer() -> None:
    found = judge(MATRIX, PROBES).metrics
    # Task 0, scaled over its log (0.2 to 0.9, training and tests) to 1 to 101.
    before, after = 101.0, (0.5 - 0.2) / 0.7 * 100 + 1
    assert found["performance_maintenance"] == pytest.approx(after - before)
    assert found["backward_transfer_ratio"] == pytest.approx(after / before)
    assert found["backward_transfer_contrast"] == pytest.approx((after - before) / (after + before))
    for needs_more in ("relative_performance", "sample_efficiency", "performance_recovery"):
        assert needs_more not in found
    assert "forward_transfer_contrast" not in found


def test_accuracies_count_samples_and_newest_tasks() -> None:
    found = judge(MATRIX, PROBES, samples=[100, 300]).metrics
    assert found["newest_accuracy"] == pytest.approx((0.9 + 0.8) / 2)
    weighted = (0.9 + (100 * 0.5 + 300 * 0.8) / 400) / 2
    assert found["sample_weighted_incremental_accuracy"] == pytest.approx(weighted)


def test_intransigence_is_there_where_a_joint_reference_was_measured() -> None:
    found = judge(MATRIX, PROBES, joint=[0.95, 0.9]).metrics
    assert found["intransigence"] == pytest.approx(0.9 - 0.8)
    assert found["mean_intransigence"] == pytest.approx((0.05 + 0.1) / 2)
    assert "intransigence" not in judge(MATRIX, PROBES).metrics
    assert "intransigence" not in judge(MATRIX, PROBES, joint=[0.95]).metrics


def test_joint_references_are_of_streams_as_they_are() -> None:
    """One for each task, of the version that there is, and in a full stage they are used."""
    file = resources.files("cambrian.evaluators.calibration").joinpath("joint.json")
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert "split-mnist" in kept
    for name, found in kept.items():
        bench = benchmark(name)
        assert found["version"] == bench.version
        _, outcome = watch(bench, "full", 1)
        tasks = len(outcome.matrices["accuracy"])
        assert len(found["accuracies"]) == tasks and all(0 < a <= 1 for a in found["accuracies"])
        diagonal = np.diag(outcome.matrices["accuracy"])
        wanted = np.mean(np.array(found["accuracies"]) - diagonal)
        assert outcome.metrics["mean_intransigence"] == pytest.approx(wanted, abs=1e-6)
        assert "intransigence" not in watch(bench, "smoke", 1)[1].metrics


def test_what_a_benchmark_cannot_tell_is_absent() -> None:
    usual = watch(benchmark("split-mnist"), "smoke", 0)[1].metrics
    assert not {"forward_transfer", "learning_curve_area"} & set(usual)
    alone = watch(benchmark("blurry-digits"), "smoke", 0)[1].metrics
    assert not {"performance_maintenance", "backward_transfer_contrast"} & set(alone)
    drift = watch(benchmark("label-drift"), "smoke", 0)[1].metrics
    assert not {"newest_accuracy", "performance_maintenance", "intransigence"} & set(drift)


def test_forward_transfer_is_recorded_where_every_batch_is_probed(close: Measurement) -> None:
    before, untrained = (close.curves[f"{n}_accuracy"] for n in ("before", "untrained"))
    assert before[0] == untrained[0], "the same seed, before the first batch"
    wanted = np.mean(before[1:].astype(np.float64) - untrained[1:])
    assert close.metrics["forward_transfer"] == pytest.approx(wanted, abs=1e-7)
    assert 0 <= close.metrics["learning_curve_area"] <= 1


def test_an_untaught_learner_beside_it_changes_nothing_of_the_one_that_is_judged(
    session: Session, close: Measurement
) -> None:
    bench = benchmark(CLOSE.benchmark)
    with session.job() as channel:
        stream = allowed(bench.stream(CLOSE.stage), calibration(bench))
        outcome, cost = drive(channel, bench, stream, CLOSE)
    assert (outcome.raw, cost.flops, cost.state_bytes) == (
        *(close.raw, close.flops, close.state_bytes),
    )
    assert {n: v for n, v in close.metrics.items() if n != "forward_transfer"} == outcome.metrics


def test_forward_transfer_comes_out_of_the_record(close: Measurement) -> None:
    kept = Measurement.from_json(json.loads(json.dumps(close.to_json()))).predictions
    found = recompute(benchmark(CLOSE.benchmark), CLOSE.stage, CLOSE.seed, kept)
    assert found.metrics == close.metrics
    assert found.curves.keys() == close.curves.keys()


def test_a_learner_that_fails_untaught_is_judged_all_the_same() -> None:
    learner = """
import torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"):
        self.outputs, self.asked, self.taught = spec.outputs, 0, 0
    def observe(self, x, y, task=None): self.taught += 1
    def predict(self, x, task=None):
        if len(x) > 100 and not self.taught: raise RuntimeError("more than one task, untaught")
        return torch.zeros(len(x), self.outputs)
    def task_boundary(self): pass
"""
    with Session(PlainBackend()) as session:
        session.install({"learner.py": learner})
        found = evaluate(session, CLOSE)
    assert found.verdict == "scored", found.reason
    assert "forward_transfer" not in found.metrics
    assert set(found.predictions) == {"labels", "confidence", "costs"}


def test_every_key_of_the_catalogue_is_recorded_somewhere(close: Measurement) -> None:
    names = set(close.metrics)
    for name in ("permuted-plasticity", "split-mnist"):
        names |= set(watch(benchmark(name), "full", 1)[1].metrics)
    keys = {entry.key for entries in SECTIONS.values() for entry in entries} - {""}
    assert keys <= names


def test_lifelong_figures_of_a_log_that_has_everything_are_all_there() -> None:
    """What the streams leave out is left out for want of data, not of code."""
    rng = np.random.default_rng(0)
    log = []
    for turn in range(3):
        for task in ("a", "b"):
            log += [metrics.Block("test", t, rng.random(3) + turn) for t in ("a", "b")]
            log.append(metrics.Block("train", task, np.sort(rng.random(40)) + turn))
    log += [metrics.Block("test", t, rng.random(3) + 3) for t in ("a", "b")]
    experts = {t: [np.sort(rng.random(40)) * 3] for t in ("a", "b")}
    assert dataclasses.is_dataclass(log[0])
    assert set(metrics.lifelong_metrics(log, experts)) == {
        *("performance_maintenance", "performance_recovery", "relative_performance"),
        *("sample_efficiency", "forward_transfer_ratio", "forward_transfer_contrast"),
        *("backward_transfer_ratio", "backward_transfer_contrast"),
    }
