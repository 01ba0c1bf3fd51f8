"""A learner through a sequence of offline tasks: publish, observe in spans, probe, test.

The accuracy matrix, min-ACC and the curves come from here, for every benchmark made of tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cambrian.evaluators import metrics
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.data import Floats, Labels
from cambrian.sandbox.channel import Channel


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
        return self.test_x[: self.probe]

    @property
    def probe_y(self) -> Labels:
        return self.test_y[: self.probe]


@dataclass(frozen=True)
class Course:
    """How the tasks are gone through.

    Attributes:
        batch: samples per `observe`.
        probe_every: batches between probes.
        boundaries: whether the learner is told that a task has ended.
        reveal: samples that are revealed at a time, a multiple of `batch`; 0: a task as a whole.
    """

    batch: int
    probe_every: int
    boundaries: bool
    reveal: int = 0


def shuffled(count: int, epochs: int, rng: np.random.Generator) -> Labels:
    """An order for `epochs` passes over `count` samples, each shuffled anew."""
    return np.concatenate([rng.permutation(count) for _ in range(epochs)]).astype(np.int64)


def run_tasks(channel: Channel, tasks: Sequence[Task], course: Course) -> Outcome:
    """Train on the tasks one after the other; the raw score is the average accuracy (ACC)."""
    matrix = np.full((len(tasks), len(tasks)), np.nan)
    probes: list[tuple[int, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = []
    for now, task in enumerate(tasks):
        seen = tasks[: now + 1]
        channel.publish("probe", {"x": np.concatenate([t.probe_x for t in seen])})
        for scores in _learn(channel, task, course):
            probes.append((now, _per_task(scores, [t.probe_y for t in seen])))
        channel.withdraw("probe")
        if course.boundaries:
            channel.boundary()
        channel.publish("test", {"x": np.concatenate([t.test_x for t in seen])})
        final = channel.predict_file("test")
        channel.withdraw("test")
        matrix[now, : now + 1] = _per_task(final, [t.test_y for t in seen])
    return _judge(matrix, probes)


def _learn(channel: Channel, task: Task, course: Course) -> Iterator[Floats]:
    """Reveal the task (bit by bit where the course says so), have it observed, take it back;
    yields the probes' scores."""
    rows = course.reveal or len(task.order)
    for start in range(0, len(task.order), rows):
        order = task.order[start : start + rows]
        x, y = task.train_x, task.train_y
        if course.reveal:
            x, y, order = x[order], y[order], np.arange(len(order))
        channel.publish("task", {"x": x, "y": y, "order": order})
        yield from channel.span(
            "task", 0, len(order), course.batch, probe="probe", probe_every=course.probe_every
        )
        channel.withdraw("task")


def _judge(matrix: metrics.Floats, probes: Sequence[tuple[int, metrics.Floats]]) -> Outcome:
    acc = metrics.average_accuracy(matrix)
    values = {
        "accuracy": acc,
        "average_incremental_accuracy": metrics.average_incremental_accuracy(matrix),
        "backward_transfer": metrics.backward_transfer(matrix),
        "forgetting": metrics.forgetting(matrix),
        "min_accuracy": metrics.min_accuracy(probes),
    }
    curve = np.array([float(np.mean(seen)) for _, seen in probes], dtype=np.float32)
    return Outcome(
        acc,
        values,
        {"probe_accuracy": curve},
        {"accuracy": matrix.astype(np.float32)},
    )


def _per_task(scores: Floats, labels: Sequence[Labels]) -> metrics.Floats:
    ends = np.cumsum([len(part) for part in labels])
    pieces = np.split(scores, ends[:-1])
    return np.array([metrics.accuracy(s, y) for s, y in zip(pieces, labels, strict=True)])
