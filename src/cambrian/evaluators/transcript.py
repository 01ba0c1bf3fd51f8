"""What a learner answered, kept so that every figure can be worked out again.

A `Transcript` listens to a job's channel and keeps of each answer the label that it names (of a
regression, the values), in the order in which they came. `recompute` runs the benchmark once more
with a channel that plays them back: the answers meet the same judge, whatever it has been taught
since. True labels are never kept: the benchmark makes them from its seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Outcome
from cambrian.evaluators.finite import finite
from cambrian.evaluators.metrics import confidences, predicted_labels
from cambrian.evaluators.protocols.tasks import TaskStream, with_untrained
from cambrian.sandbox.backends.claims import MAX_COUNT
from cambrian.sandbox.session.channel import Channel, Cost, Diagnosis, Stream
from cambrian.sandbox.session.failures import CONTENT
from cambrian.sandbox.session.limits import Limits

LIMIT_BYTES = 8 << 20
"""A transcript of more is not kept: the answers of a day's stream are no record but a data set."""

LEAST_ALIKE = 64
"""Answers of so many rows are kept as what changed since the one before, if that had as many:
probes of the same inputs mostly repeat themselves, and zeros take no room."""


UNTRAINED = "untrained"
"""What the answers of a second learner are kept under that was never taught (classification)."""


class Transcript:
    """The answers of one job."""

    def __init__(self, stream: Stream) -> None:
        self._labels = stream.kind == "classification"
        self._answers: list[Array] = []
        self._costs: list[tuple[int, int]] = []
        self._last: Array | None = None
        self._bytes = 0

    def answer(self, scores: Array) -> None:
        """Keep scores (B, outputs)."""
        if self._bytes > LIMIT_BYTES:
            return
        kept = predicted_labels(scores) if self._labels else scores.astype(np.float32)
        self._bytes += kept.nbytes
        self._answers.append(kept)
        self._last = scores

    def cost(self, cost: Cost) -> None:
        """Keep what the learner said it cost, which some benchmarks ask on the way."""
        self._costs.append((cost.flops, cost.state_bytes))

    def packed(self) -> dict[str, Array]:
        """The arrays that `recompute` needs; none if there was nothing, or too much."""
        if not self._answers or self._bytes > LIMIT_BYTES or self._last is None:
            return {}
        found: dict[str, Array] = {"costs": np.array(self._costs, dtype=np.int64).reshape(-1, 2)}
        if not self._labels:
            return found | {"values": np.concatenate([a.ravel() for a in self._answers])}
        found["labels"] = np.concatenate(list(_changes(self._answers)))
        # Only what was tested last is asked how sure it was.
        found["confidence"] = confidences(self._last)
        return found


class Playback(Channel):
    """A channel on whose other end there is nobody: it answers what was answered before.

    The record may be anybody's (an archive is imported, a bundle is sent): nothing is taken for
    granted of it.

    Raises:
        UsageError: here or later, for a record that no run makes.
    """

    exact = False

    def __init__(self, predictions: Mapping[str, Array]) -> None:
        self._kept = {name: _plausible(name, array) for name, array in predictions.items()}
        if not self._kept.keys() & {"labels", "values"}:
            raise UsageError(f"expected answers as labels or values; got {sorted(self._kept)[:9]}")
        self._place = 0
        self._before: Array | None = None
        self._asked = 0
        self._rows: dict[str, int] = {}
        self._outputs = 0
        self._sequence = 0
        self._bulk = None
        self.limits = Limits()

    def start(self, stream: Stream, seed: int = 0, device: str = "cpu") -> None:
        self._outputs = stream.outputs

    def publish(self, name: str, arrays: Mapping[str, Array]) -> None:
        if "x" in arrays:
            self._rows[name] = len(arrays["x"])

    def withdraw(self, name: str) -> None:
        self._rows.pop(name, None)

    def finish(self) -> Cost:
        costs = self._kept.get("costs", np.zeros((0, 2), np.int64))
        if self._asked >= len(costs):
            raise UsageError("the benchmark asks more often for the cost than when it was run")
        flops, state_bytes = costs[self._asked].tolist()
        self._asked += 1
        return Cost(flops, state_bytes)

    def diagnose(self, name: str, task: int | None = None) -> Diagnosis:
        """What went on inside is not kept: nothing was claimed."""
        return Diagnosis((), 0.0, 0.0)

    def _push(self, frames: list[memoryview], *, early: bool = False) -> None:
        pass

    def _receive(self, *_: Any) -> Any:
        pass

    def _checked(self, scores: Array) -> Array:
        return scores

    def _answer(self, rows: int, *_: Any, **__: Any) -> Array:
        if "values" in self._kept:
            return self._take("values", rows * self._outputs).reshape(rows, self._outputs)
        labels = self._take("labels", rows)
        if _alike(self._before, rows):
            labels = labels + self._before
        self._before = labels
        if rows and int(labels.max()) >= self._outputs:
            raise UsageError(f"expected labels below {self._outputs}; got {int(labels.max())}")
        last = self._place == len(self._kept["labels"])
        sure = self._kept.get("confidence") if last else None
        sure = np.ones(rows, np.float16) if sure is None else sure
        if len(sure) != rows:
            raise UsageError(f"expected {rows} confidences; got {len(sure)}")
        return _scores(labels, sure, self._outputs)

    def _take(self, name: str, count: int) -> Array:
        if name not in self._kept:
            raise UsageError(f"expected answers as {name}; got {sorted(self._kept)[:9]}")
        found = self._kept[name][self._place : self._place + count]
        if len(found) < count:
            raise UsageError("the benchmark asks for more than was answered when it was run")
        self._place += count
        return found

    @property
    def over(self) -> bool:
        """Whether every answer has been asked for."""
        return self._place == len(self._kept["values" if "values" in self._kept else "labels"])


def recompute(bench: Benchmark, stage: str, seed: int, predictions: Mapping[str, Array]) -> Outcome:
    """The outcome of recorded answers, by the benchmark as it is now.

    What is made of the label that an answer names comes out the same; of the last answer also what
    is made of how sure it was. Figures made of other scores (a loss on the way) do not.

    Raises:
        UsageError: no answers were kept, or they are not those of this benchmark.
    """
    if not predictions:
        raise UsageError(f"no answers were kept of {bench.name}, {stage} stage, seed {seed}")
    try:
        with np.errstate(all="ignore"):  # what comes of it is looked at
            return finite(_played(bench, stage, seed, predictions))
    except CONTENT as error:
        raise UsageError(
            f"{bench.name} makes nothing of these answers, so no run gave them: "
            f"{type(error).__name__}: {error}"
        ) from error


def _played(bench: Benchmark, stage: str, seed: int, predictions: Mapping[str, Array]) -> Outcome:
    channel = Playback(predictions)
    channel.start(bench.stream(stage))
    outcome = bench.run(channel, stage, seed)
    if not channel.over:
        raise UsageError("the benchmark asks for less than was answered when it was run")
    if UNTRAINED not in predictions or not isinstance(bench, TaskStream):
        return outcome
    fresh = Playback({"labels": predictions[UNTRAINED]})
    fresh.start(bench.stream(stage))
    return with_untrained(outcome, bench.untrained(fresh, stage, seed))


class Neutral(Playback):
    """A channel on whose other end there is nobody: to every question it answers zeros."""

    def __init__(self) -> None:
        super().__init__({"values": np.zeros(0, np.float32)})

    def finish(self) -> Cost:
        return Cost(0, 0)

    def _answer(self, rows: int, *_: Any, **__: Any) -> Array:
        return np.zeros((rows, self._outputs), np.float32)


_KINDS = {"labels": "u", UNTRAINED: "u", "values": "f", "confidence": "f", "costs": "i"}


def _plausible(name: str, given: Array) -> Array:
    """An array of a record, if it is one that `Transcript.packed` could have made."""
    array = np.asarray(given)
    kind, wide = _KINDS.get(name, ""), 2 if name == "costs" else 1
    good = array.dtype.kind == kind and array.ndim == wide
    if good and kind == "f":
        good = bool(np.isfinite(array).all())
    if good and name == "costs":
        good = array.shape[1] == 2 and bool(((array >= 0) & (array <= MAX_COUNT)).all())
    if good and name == "values":
        good = array.dtype == np.float32
    if not good:
        raise UsageError(
            f"expected {name} as a run records it; got {array.dtype} {array.shape}"[:200]
        )
    return array


def _alike(before: Array | None, rows: int) -> bool:
    return before is not None and rows >= LEAST_ALIKE and len(before) == rows


def _changes(answers: list[Array]) -> Iterator[Array]:
    """Answers, each as the (wrapping) difference to the one before where the two are alike."""
    before: Array | None = None
    for labels in answers:
        yield labels - before if before is not None and _alike(before, len(labels)) else labels
        before = labels


def _scores(labels: Array, sure: Array, outputs: int) -> Array:
    """Log-probabilities (B, outputs) with these labels as the largest, at these confidences."""
    p = np.clip(sure.astype(np.float64), 1 / outputs + 1e-6, 1 - 1e-9)[:, None]
    rest = (1 - p) / max(outputs - 1, 1)
    scores = np.broadcast_to(np.log(rest), (len(labels), outputs)).astype(np.float32)
    np.put_along_axis(scores, labels.astype(np.int64)[:, None], np.log(p), axis=1)
    return scores
