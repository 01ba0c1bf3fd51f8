"""A learner through a sequence of offline tasks: publish, observe in spans, probe, test.

The accuracy matrix, min-ACC and the curves come from here, for every benchmark made of tasks. What
is probed or tested together is shuffled, so that a row's place says nothing about its task.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from cambrian.evaluators import metrics
from cambrian.evaluators.benchmarks.base import EACH_BATCH, Benchmark, Outcome, generator, stem
from cambrian.evaluators.data import Floats, Labels
from cambrian.evaluators.lab import Lab
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.learner_channel import LearnerChannel

WINDOWS = (10, 100)
LCA_BATCHES = 10
UNTRAINED = "untrained"
"""The learner that is never taught."""


@dataclass(frozen=True)
class Task:
    """One task: what is learned from, what is probed on the way, what is tested in the end.

    x are (N, *input_shape) float32, y are (N,) int64; probe and test answers stay here.
    `order` are the rows of the training samples as they are observed, repeats included; the first
    `probe` test samples are the ones probed with (a fixed subset, so that minima are not biased).
    """

    train_x: Floats
    train_y: Labels
    order: Labels
    test_x: Floats
    test_y: Labels
    probe: int

    @property
    def probe_x(self) -> Floats:
        """The test inputs that probes during the stream use, (probe, *shape)."""
        return self.test_x[: self.probe]

    @property
    def probe_y(self) -> Labels:
        """Their labels, (probe,)."""
        return self.test_y[: self.probe]


@dataclass(frozen=True)
class EvaluationProtocol:
    """How the tasks are gone through.

    Attributes:
        batch: samples per `observe`.
        probe_every: batches between probes.
        boundaries: whether the learner is told that a task has ended.
        reveal: samples that are revealed at a time, a multiple of `batch`; 0: those up to the next
            probe. Never more than those: a learner that sees further could have learned, at a
            probe, what comes after it.
        identity: whether the learner is told which task it observes and which it is asked about.
    """

    batch: int
    probe_every: int
    boundaries: bool
    reveal: int = 0
    identity: bool = False

    @property
    def at_once(self) -> int:
        """Samples that are revealed together."""
        until_probe = self.batch * self.probe_every
        return min(self.reveal or until_probe, until_probe)


class TaskStream(Benchmark):
    """What benchmarks made of tasks have in common; a subclass says its `tasks`."""

    protocol: EvaluationProtocol

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The tasks, answers included: trusted side only."""
        raise NotImplementedError

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Make the tasks of this seed and run them by the protocol (`run_tasks`)."""
        tasks = self.tasks(stage, generator(self.name, stage, seed))
        rows = generator(f"{self.name}/rows", stage, seed)
        return run_tasks(channel, tasks, self.protocol, rows, _joint(self.name, stage))

    @property
    def learners(self) -> tuple[str, ...]:
        return (UNTRAINED,) if self.transfers else ()

    def conduct(self, lab: Lab) -> Outcome:
        """With forward transfer, where it can be told. A second learner of the same seed says what
        it does untaught, in a job of its own: that the one which is judged has seen no input of a
        task to come stays true, and its cost is its own. One that fails at it has no forward
        transfer."""
        outcome = super().conduct(lab)
        if not lab.has(UNTRAINED):
            return outcome
        try:
            with lab.learner(UNTRAINED) as channel:
                untrained = self.untrained(channel, lab.stage, lab.seed)
        except LearnerFailed:
            return outcome
        return with_untrained(outcome, untrained)

    @property
    def transfers(self) -> bool:
        """Whether forward transfer is measured: each task is probed before its first batch, so
        that what is missing is how a learner does that was never taught."""
        return self.protocol.probe_every == 1

    def untrained(self, channel: LearnerChannel, stage: str, seed: int) -> metrics.Floats:
        """Accuracies (T,) of a started learner on every task's probes, without any training. It
        sees the inputs of all tasks: let go of it afterwards."""
        tasks = self.tasks(stage, generator(self.name, stage, seed))
        rows = generator(f"{self.name}/untrained", stage, seed)
        asked = [(task.probe_x, task.probe_y) for task in tasks]
        probed = _Probes(channel, "probe", asked, self.protocol, rows)
        found = probed.accuracies()
        probed.withdraw()
        return found

    def each_batch(self) -> Self:
        """The same stream, probed after every batch (De Lange 2023: a stability gap lasts for a
        few batches). Its calibration holds what the probes cost."""
        closer = copy.copy(self)
        object.__setattr__(closer, "name", self.name + EACH_BATCH)
        object.__setattr__(closer, "protocol", replace(self.protocol, probe_every=1))
        return closer


def shuffled(count: int, epochs: int, rng: np.random.Generator) -> Labels:
    """An order for `epochs` passes over `count` samples, each shuffled anew."""
    return np.concatenate([rng.permutation(count) for _ in range(epochs)]).astype(np.int64)


def run_tasks(
    channel: LearnerChannel,
    tasks: Sequence[Task],
    protocol: EvaluationProtocol,
    rows: np.random.Generator | None = None,
    joint: Sequence[float] = (),
) -> Outcome:
    """Train on the tasks one after the other; the raw score is the average accuracy (ACC).

    Args:
        rows: shuffles what is probed and tested together (None: task after task).
        joint: of each task k, the accuracy on it of a reference trained jointly on tasks 1 to k.
    """
    matrix = np.full((len(tasks), len(tasks)), np.nan)
    probes: list[tuple[int, metrics.Floats]] = []
    before: list[float] = []
    for now, task in enumerate(tasks):
        seen = tasks[: now + 1]
        probed = _Probes(channel, "probe", [(t.probe_x, t.probe_y) for t in seen], protocol, rows)
        if protocol.probe_every == 1:
            before.append(float(probed.accuracies()[-1]))
        probes += [(now, values) for values in _learn(channel, task, now, protocol, probed)]
        probed.withdraw()
        if protocol.boundaries:
            channel.task_boundary()
        tested = _Probes(channel, "test", [(t.test_x, t.test_y) for t in seen], protocol, rows)
        matrix[now, : now + 1] = tested.accuracies()
        tested.withdraw()
    outcome = judge(matrix, probes, before, [len(task.test_y) for task in tasks], joint)
    return replace(outcome, metrics={**outcome.metrics, **tested.calibration()})


class _Probes:
    """The inputs of some tasks, published to be predicted; the answers stay here.

    All in one shuffled file, or where the task is told, in a file for each.
    """

    def __init__(
        self,
        channel: LearnerChannel,
        name: str,
        tasks: Sequence[tuple[Floats, Labels]],
        protocol: EvaluationProtocol,
        rows: np.random.Generator | None,
    ) -> None:
        self.channel, self.apart = channel, protocol.identity
        self.scores: Floats | None = None
        self.labels = [y for _, y in tasks]
        count = sum(len(y) for y in self.labels)
        self.order = np.arange(count) if rows is None else rows.permutation(count)
        self.names = [name] if not self.apart else [f"{name}-{t}" for t in range(len(tasks))]
        if self.apart:
            for file, (x, _) in zip(self.names, tasks, strict=True):
                channel.publish(file, {"x": x})
        else:
            channel.publish(name, {"x": np.concatenate([x for x, _ in tasks])[self.order]})

    def accuracies(self, scores: Floats | None = None) -> metrics.Floats:
        """Accuracy on each task, from `scores` (of the one file) or asked for now."""
        if self.apart:
            found = [self.channel.predict_file(n, task=t) for t, n in enumerate(self.names)]
            pairs = zip(found, self.labels, strict=True)
            return np.array([metrics.accuracy(s, y) for s, y in pairs])
        scores = self.channel.predict_file(self.names[0]) if scores is None else scores
        straight = np.empty_like(scores)
        straight[self.order] = scores
        self.scores = straight
        ends = np.cumsum([len(part) for part in self.labels])
        pieces = np.split(straight, ends[:-1])
        return np.array([metrics.accuracy(s, y) for s, y in zip(pieces, self.labels, strict=True)])

    def calibration(self) -> dict[str, float]:
        """Calibration error over all of what was asked for last; none where it was asked for task
        by task, as only an answer as a whole is kept with its confidences."""
        if self.scores is None:
            return {}
        right = self.scores.argmax(axis=1) == np.concatenate(self.labels)
        error = metrics.calibration_error(metrics.confidences(self.scores), right)
        return {"calibration_error": error}

    def withdraw(self) -> None:
        for name in self.names:
            self.channel.withdraw(name)


def _learn(
    channel: LearnerChannel, task: Task, number: int, protocol: EvaluationProtocol, probed: _Probes
) -> Iterator[metrics.Floats]:
    """Reveal the task bit by bit, have it observed, take it back; yields the accuracies at the
    probes."""
    if protocol.probe_every == 1 and not protocol.identity:
        starts = range(0, len(task.order), protocol.batch)
        batches = (task.order[start : start + protocol.batch] for start in starts)
        steps = ((task.train_x[rows], task.train_y[rows]) for rows in batches)
        yield from map(probed.accuracies, channel.observe_and_probe(steps, "probe"))
        return
    for start in range(0, len(task.order), protocol.at_once):
        rows = task.order[start : start + protocol.at_once]
        order = np.arange(len(rows))
        channel.publish("task", {"x": task.train_x[rows], "y": task.train_y[rows], "order": order})
        if protocol.identity:
            yield from _told(channel, len(order), number, protocol, probed)
        else:
            for scores in channel.span(
                "task",
                0,
                len(order),
                protocol.batch,
                probe="probe",
                probe_every=protocol.probe_every,
            ):
                yield probed.accuracies(scores)
        channel.withdraw("task")


def _told(
    channel: LearnerChannel, count: int, number: int, protocol: EvaluationProtocol, probed: _Probes
) -> Iterator[metrics.Floats]:
    """As `_learn`, where the learner is told the task: each is probed under its own number, so a
    span ends where a probe begins."""
    stride = protocol.batch * protocol.probe_every
    for start in range(0, count, stride):
        stop = min(start + stride, count)
        for _ in channel.span("task", start, stop, protocol.batch, task=number):
            raise AssertionError("a span without a probe has no answers")
        yield probed.accuracies()


def judge(
    matrix: metrics.Floats,
    probes: Sequence[tuple[int, metrics.Floats]],
    before: Sequence[float] = (),
    samples: Sequence[int] = (),
    joint: Sequence[float] = (),
) -> Outcome:
    """The outcome of an accuracy matrix and of the probes on the way.

    A figure that what was measured does not allow is left out.

    Args:
        matrix: (T, T), NaN above the diagonal.
        probes: in order of time, the task being learned and the accuracy on each seen so far.
        before: of each task, the accuracy before its first batch (only where every batch was
            probed); with it goes the learning curve area.
        samples: test samples of each task (not given: all tasks have as many).
        joint: as for `run_tasks`; with it goes intransigence.
    """
    acc = metrics.average_accuracy(matrix)
    values = {
        "accuracy": acc,
        "average_incremental_accuracy": metrics.average_incremental_accuracy(matrix),
        "backward_transfer": metrics.backward_transfer(matrix),
        "forgetting": metrics.forgetting(matrix),
        "newest_accuracy": metrics.newest_accuracy(np.diag(matrix)),
        "newest_task_slope": metrics.newest_task_slope(np.diag(matrix)),
        "sample_weighted_incremental_accuracy": metrics.sample_weighted_incremental_accuracy(
            matrix, samples or [1] * len(matrix)
        ),
        **_lifelong(matrix, probes),
        **stability(probes),
    }
    curves = {"probe_accuracy": np.array([np.mean(seen) for _, seen in probes], dtype=np.float32)}
    if before:
        values["learning_curve_area"] = _curve_area(probes, before)
        curves["before_accuracy"] = np.array(before, dtype=np.float32)
    if len(joint) == len(matrix):
        values["intransigence"] = metrics.intransigence(matrix, joint)
        values["mean_intransigence"] = metrics.mean_intransigence(matrix, joint)
    return Outcome(
        acc,
        values,
        curves,
        {"accuracy": matrix.astype(np.float32), "probes": _table(probes, len(matrix))},
    )


def with_untrained(outcome: Outcome, untrained: metrics.Floats) -> Outcome:
    """The same with forward transfer: what the learner did on each task's probes before the task's
    first batch, less what it did on them `untrained` (T,)."""
    before = outcome.curves["before_accuracy"].astype(np.float64)
    matrix = np.full((len(before), len(before)), np.nan)
    matrix[np.arange(len(before) - 1), np.arange(1, len(before))] = before[1:]
    values = {**outcome.metrics, "forward_transfer": metrics.forward_transfer(matrix, untrained)}
    curves = {**outcome.curves, "untrained_accuracy": untrained.astype(np.float32)}
    return replace(outcome, metrics=values, curves=curves)


def _joint(name: str, stage: str) -> Sequence[float]:
    """The calibration's joint references; none where they were not measured, nor for the shorter
    smoke stage, whose data is other."""
    from cambrian.evaluators.calibration import joint_accuracies  # it needs this package

    return () if stage == "smoke" else joint_accuracies(stem(name))


def _lifelong(
    matrix: metrics.Floats, probes: Sequence[tuple[int, metrics.Floats]]
) -> dict[str, float]:
    """The figures of New 2022 that a stream of tasks allows: each task is trained once, tested
    after it and after every later one. Without experts, tests ahead or a task that comes again
    there is no RP, SE, FT or PR."""
    log = []
    for now, row in enumerate(matrix):
        while_learning = np.array([seen[now] for task, seen in probes if task == now])
        log.append(metrics.Block("train", str(now), while_learning))
        log += [metrics.Block("test", str(t), row[t : t + 1]) for t in range(now + 1)]
    return metrics.lifelong_metrics(log) if all(block.values.size for block in log) else {}


def stability(probes: Sequence[tuple[int, metrics.Floats]]) -> dict[str, float]:
    """The metrics of De Lange 2023 of probes (task, accuracies (T,)); their windows are of batches
    only where each is probed."""
    return {
        "min_accuracy": metrics.min_accuracy(probes),
        "worst_case_accuracy": metrics.worst_case_accuracy(probes),
        "average_anytime_accuracy": metrics.average_anytime_accuracy(probes),
        **{
            f"windowed_{what}_{window}": measure(probes, window)
            for what, measure in (
                ("forgetting", metrics.windowed_forgetting),
                ("plasticity", metrics.windowed_plasticity),
            )
            for window in WINDOWS
        },
    }


def _curve_area(probes: Sequence[tuple[int, metrics.Floats]], before: Sequence[float]) -> float:
    """LCA over the first LCA_BATCHES batches, or as many as the shortest task has."""
    curves = [
        [first, *(float(seen[task]) for now, seen in probes if now == task)]
        for task, first in enumerate(before)
    ]
    batches = min(LCA_BATCHES, *(len(curve) - 1 for curve in curves))
    return metrics.learning_curve_area([curve[: batches + 1] for curve in curves], batches)


def _table(probes: Sequence[tuple[int, metrics.Floats]], tasks: int) -> Floats:
    """All probes (P, 1 + tasks): the task being learned, then the accuracy on each (NaN: unseen).
    Every continual metric can be worked out from it again."""
    table = np.full((len(probes), 1 + tasks), np.nan, dtype=np.float32)
    for row, (now, seen) in zip(table, probes, strict=True):
        row[0], row[1 : 1 + len(seen)] = now, seen
    return table
