"""A baseline at the other end of the channel by which a benchmark drives a learner.

So the benchmark's own code shows the same rows in the same order, asks at the same places, tells
labels when it would tell them, and makes the figures of the answers: by one protocol for all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cambrian.sandbox.session.claims import Cost
from cambrian.sandbox.session.learner_channel import Diagnosis, LearnerChannel
from cambrian.solving.baselines import Baseline


class OutOfTime(Exception):
    """A baseline was not done by its deadline."""


class BaselineChannel(LearnerChannel):
    """Drives a model in this process.

    Args:
        model: untaught.
        deadline: by `time.time`; asked or told after it, the model is out of time.

    Raises (from every method that asks or tells):
        OutOfTime: the deadline is past.
    """

    def __init__(self, model: Baseline, deadline: float) -> None:
        self._model, self._deadline = model, deadline
        self._files: dict[str, Mapping[str, Any]] = {}
        self._asked: Any = None

    def publish(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Keep arrays under a name: x (N, inputs), y (N,) and order (n,)."""
        self._files[name] = arrays

    def withdraw(self, name: str) -> None:
        """Let go of them."""
        del self._files[name]

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
    ) -> Iterator[Any]:
        """Tell rows of a file; yields scores (rows of `probe`, outputs)."""
        file = self._files[name]
        steps = range(start, stop, batch)
        for done, at in enumerate(steps, 1):
            rows = file["order"][at : min(at + batch, stop)]
            self._tell(file["x"][rows], file["y"][rows])
            if probe is not None and (done % probe_every == 0 or done == len(steps)):
                yield self.predict_file(probe)

    def observe_and_probe(self, steps: Iterable[tuple[Any, Any]], probe: str) -> Iterator[Any]:
        """Tell batches x (B, inputs), y (B,); yields scores (rows of `probe`, outputs)."""
        for x, y in steps:
            self._tell(x, y)
            yield self.predict_file(probe)

    def predict(self, x: Any, task: int | None = None) -> Any:
        """Answers (B, outputs) for x (B, inputs)."""
        self._watch()
        self._asked = x
        return self._model.predict(x)

    def predict_file(self, name: str, task: int | None = None) -> Any:
        """Answers (N, outputs) for a file's x (N, inputs)."""
        self._watch()
        return self._model.predict(self._files[name]["x"])

    def reveal(self, y: Any) -> None:
        """Labels (B,) of what was asked last."""
        self._tell(self._asked, y)

    def reveal_and_predict(self, y: Any, x: Any) -> Any:
        """Labels (B,) of what was asked last, then answers (B, outputs) for x (B, inputs)."""
        self.reveal(y)
        return self.predict(x)

    def prequential(self, steps: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
        """Batches x (B, inputs), y (B,): asked first and told then, those of the last one never;
        yields answers (B, outputs)."""
        before: Any = None
        for x, y in steps:
            if before is not None:
                self._tell(*before)
            yield self.predict(x)
            before = x, y

    def predict_copy(self, x: Any) -> Any:
        """No table asks this."""
        raise NotImplementedError("a baseline makes no copies")

    def discard_copy(self) -> None:
        """There is none."""

    def finish(self) -> Cost:
        """Nothing is counted of a baseline but its seconds."""
        return Cost(0, 0)

    def diagnose(self, name: str, task: int | None = None) -> Diagnosis:
        """No table asks this."""
        raise NotImplementedError("a baseline shows nothing of its inside")

    def call(self, verb: str, *arrays: Any, **numbers: int | None) -> Any | None:
        """That a task ends tells a baseline nothing."""
        if verb != "task_boundary":
            raise NotImplementedError(f"a baseline has no {verb}")
        return None

    def _tell(self, x: Any, y: Any) -> None:
        self._watch()
        self._model.learn(np.asarray(x), np.asarray(y))

    def _watch(self) -> None:
        if time.time() > self._deadline:
            raise OutOfTime
