"""A learner that is nobody's: it looks at all that a benchmark would have shown one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks.base import Array, Benchmark
from cambrian.evaluators.lab import JUDGED, Lab
from cambrian.evaluators.transcript import nothing
from cambrian.sandbox.session.claims import Cost
from cambrian.sandbox.session.learner_channel import Diagnosis, LearnerChannel, checked_call


class Watching(LearnerChannel):
    """A channel to nobody: answers with fixed scores and keeps all that it was shown, in order.

    Attributes:
        shown: (what, array) of every array that a learner would have been given.
        files: the arrays of every file published; `open` those that are not withdrawn yet.
        observed: rows given to `observe`.
        named: the task numbers that were told.
        called: the verbs of the contract that were used.
    """

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.called: set[str] = set()
        self.open: dict[str, dict[str, Array]] = {}
        self.files: list[dict[str, Array]] = []
        self.shown: list[tuple[str, Array]] = []
        self.observed = 0
        self.named: list[int | None] = []
        self.known: set[bytes] = set()
        self.known_when_asked = 0
        self.untold = 0
        self.support: set[bytes] = set()
        self.breaches: list[str] = []

    # what a channel does

    def call(self, verb: str, *arrays: Array, **numbers: int | None) -> Array | None:
        row = checked_call(self.spec, verb, arrays, numbers)
        self.called.add(verb)
        if "task" in row.numbers:
            self.named.append(numbers.get("task"))
        prefix = {"adapt": "support."}.get(verb, f"{verb}.")
        if verb == "task_boundary":
            self.shown.append(("boundary", np.zeros(0)))
        for argument, array in zip(row.arrays, arrays, strict=True):
            self.shown.append((f"{prefix}{argument}", array.copy()))
        if verb in ("observe", "forget"):
            self.known.update(sample.tobytes() for sample in arrays[0])
        if verb in ("observe", "feedback"):
            self.observed += len(arrays[0])
        if verb == "adapt":
            self.support = {sample.tobytes() for sample in arrays[0]}
        if verb == "new_episode":
            self.untold = 0
        if row.answer is None:
            return None
        rows = len(arrays[0]) if arrays else 0
        if row.answer.what == "scores":
            return self._asked(arrays[0])
        return nothing(row, self.spec, row.answer.shape(self.spec, rows, numbers))

    def publish(self, name: str, arrays: Mapping[str, Any]) -> None:
        whole = {key: np.array(value) for key, value in arrays.items()}
        if "y" in whole and any("y" in there for there in self.open.values()):
            self.breaches.append(f"{name!r} was published before the labels shown last were taken")
        self.open[name] = whole
        self.files.append(whole)
        self.shown += [(f"{name}.{key}", value) for key, value in whole.items()]
        if "y" in whole:
            self.known.update(row.tobytes() for row in whole["x"])

    def withdraw(self, name: str) -> None:
        del self.open[name]

    def span(
        self,
        name: str,
        start: int,
        stop: int,
        batch: int,
        *,
        probe: str | None = None,
        probe_every: int = 1,
        task: int | None = None,
    ) -> Iterator[Array]:
        if set(self.open[name]) != {"x", "y", "order"}:
            self.breaches.append(f"{name!r} is observed and has not just x, y and order")
        self.called.add("observe")
        self.observed += stop - start
        self.named.append(task)
        batches = -(-(stop - start) // batch)
        for _ in range(-(-batches // probe_every) if probe else 0):
            yield self.predict_file(str(probe), task)

    def observe_and_probe(
        self, steps: Iterable[tuple[Array, Array]], probe: str
    ) -> Iterator[Array]:
        for x, y in steps:
            self.publish("lesson", {"x": x, "y": y, "order": np.arange(len(y))})
            yield from self.span("lesson", 0, len(y), len(y), probe=probe)
            self.withdraw("lesson")

    def predict_file(self, name: str, task: int | None = None) -> Array:
        if set(self.open[name]) != {"x"}:
            self.breaches.append(f"{name!r} is predicted and holds more than x")
        self.called.add("predict")
        self.named.append(task)
        return self._asked(self.open[name]["x"])

    def predict(self, x: Array, task: int | None = None) -> Array:
        self.called.add("predict")
        self.shown.append(("x", x.copy()))
        self.untold = len(x)
        return self._scores(len(x))

    def reveal(self, y: Array) -> None:
        if len(y) > self.untold:
            self.breaches.append("labels were told of inputs that had not been asked about")
        self.called.add("observe")
        self.shown.append(("y", y.copy()))
        self.observed += len(y)
        self.untold = 0

    def reveal_and_predict(self, y: Array, x: Array) -> Array:
        self.reveal(y)
        return self.predict(x)

    def prequential(self, steps: Iterable[tuple[Array, Array]]) -> Iterator[Array]:
        before: Array | None = None
        for x, y in steps:
            yield self.predict(x) if before is None else self.reveal_and_predict(before, x)
            before = y

    def predict_copy(self, x: Array) -> Array:
        self.shown.append(("query.x", x.copy()))
        return self._asked(x, self.support if self.spec.episodic else self.support | self.known)

    def discard_copy(self) -> None:
        self.support = set()

    def finish(self) -> Cost:
        return Cost(0, 0)

    def usage(self) -> Cost:
        return Cost(1000 * (self.observed + 1), 100)

    def diagnose(self, name: str, task: int | None = None) -> Diagnosis:
        self.predict_file(name, task)
        return Diagnosis([np.eye(4, dtype=np.float32)], 0.1, 1.0)

    # what is kept

    def _asked(self, x: Array, known: set[bytes] | None = None) -> Array:
        """Count the inputs whose label is known: where each batch is a task, by that task alone."""
        known = self.known if known is None else known
        self.known_when_asked += sum(row.tobytes() in known for row in x)
        return self._scores(len(x))

    def _scores(self, rows: int) -> Array:
        shape = self.spec.scores_shape(rows)
        return np.broadcast_to(np.arange(shape[-1], dtype=np.float32), shape).copy()


class WatchingLab(Lab):
    """Learners that are nobody's; `watched` has the channel of each, by its name."""

    def __init__(self, bench: Benchmark, stage: str, seed: int) -> None:
        super().__init__(bench, stage, seed)
        self._spec = bench.stream_of(stage, seed)
        self.watched: dict[str, Watching] = {}

    @contextmanager
    def learner(
        self, name: str = JUDGED, *, spec: TaskSpec | None = None
    ) -> Iterator[LearnerChannel]:
        self._expect(name, name in self.watched)
        self.watched[name] = Watching(spec or self._spec)
        yield self.watched[name]
