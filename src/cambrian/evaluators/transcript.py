"""What a learner answered, kept so that every figure can be worked out again.

A `Transcript` listens to a job's channel and keeps of each answer the label that it names (of a
regression, the values), in the order in which they came. `recompute` runs the benchmark once more
with a channel that plays them back: the answers meet the same judge, whatever it has been taught
since. True labels are never kept: the benchmark makes them from its seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Outcome
from cambrian.evaluators.finite import finite
from cambrian.evaluators.lab import JUDGED, Lab
from cambrian.evaluators.metrics import confidences, predicted_labels
from cambrian.sandbox.runner.verbs import VERBS, Verb
from cambrian.sandbox.session.answers import check
from cambrian.sandbox.session.channel import Channel, Cost, Diagnosis
from cambrian.sandbox.session.claims import MAX_COUNT
from cambrian.sandbox.session.exchange import NO_SPEC
from cambrian.sandbox.session.failures import CONTENT, LearnerFailed
from cambrian.sandbox.session.learner_channel import LearnerChannel, checked_call
from cambrian.sandbox.session.limits import Limits

LIMIT_BYTES = 8 << 20
"""A transcript of more is not kept: the answers of a day's stream are no record but a data set."""

LEAST_ALIKE = 64
"""Answers of so many rows are kept as what changed since the one before, if that had as many:
probes of the same inputs mostly repeat themselves, and zeros take no room."""


LABELLED = ("classification", "sequence", "active")
"""Kinds of task of whose answers the label is kept; of the others, the values."""

OTHERS = ("labels", "values")
"""What is kept of a learner that is not the judged one, besides what its verbs gave back."""


class Transcript:
    """The answers of one job."""

    def __init__(self, stream: TaskSpec) -> None:
        self._labels = stream.kind in LABELLED
        self._answers: list[Array] = []
        self._costs: list[tuple[int, int]] = []
        self._last: Array | None = None
        self._given: dict[str, list[Array]] = {}
        self._bytes = 0

    def answer(self, scores: Array) -> None:
        """Keep scores, of shape (B, outputs) or (B, T, outputs)."""
        if self._bytes > LIMIT_BYTES:
            return
        scores = scores.reshape(-1, scores.shape[-1])
        kept = predicted_labels(scores) if self._labels else scores.astype(np.float32)
        self._bytes += kept.nbytes
        self._answers.append(kept)
        self._last = scores

    def given(self, verb: str, array: Array) -> None:
        """Keep what a verb gave back: actions (E, ...), positions (n,), points (n, ...)."""
        if self._bytes > LIMIT_BYTES:
            return
        kept = array if array.dtype.kind == "f" else array.astype(np.int32)
        self._bytes += kept.nbytes
        self._given.setdefault(verb, []).append(kept)

    def cost(self, cost: Cost) -> None:
        """Keep what the learner said it cost, which some benchmarks ask on the way."""
        self._costs.append((cost.flops, cost.state_bytes))

    def packed(self) -> dict[str, Array]:
        """The arrays (n,) that `recompute` needs; none if there was nothing, or too much."""
        if not (self._answers or self._given) or self._bytes > LIMIT_BYTES:
            return {}
        found: dict[str, Array] = {"costs": np.array(self._costs, dtype=np.int64).reshape(-1, 2)}
        for verb, arrays in self._given.items():
            found[f"{GIVEN}{verb}"] = np.concatenate([array.ravel() for array in arrays])
        if self._last is None:
            return found
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
        if not any(name in ("labels", "values") or name.startswith(GIVEN) for name in self._kept):
            raise UsageError(f"expected answers as labels or values; got {sorted(self._kept)[:9]}")
        self._places: dict[str, int] = {}
        self._before: Array | None = None
        self._asked = 0
        self._rows: dict[str, int] = {}
        self._spec = NO_SPEC
        self._sequence = 0
        self._bulk = None
        self.limits = Limits()

    def start(self, spec: TaskSpec, seed: int = 0, device: str = "cpu") -> None:
        self._spec = spec

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

    def call(self, verb: str, *arrays: Array, **numbers: int | None) -> Array | None:
        """What the verb gave back when it was called so."""
        row = checked_call(self._spec, verb, arrays, numbers)
        if row.answer is None:
            return None
        rows = len(arrays[0]) if arrays else 0
        shape = row.answer.shape(self._spec, rows, numbers)
        if row.answer.what == "scores":
            return self._answer(rows)
        return self._gave(row, shape, rows)

    def _gave(self, row: Verb, shape: tuple[int, ...], rows: int) -> Array:
        """What was kept of a verb that gives no scores."""
        if row.answer is None:
            raise UsageError(f"expected an answer to {row.name}; it gives none")
        found = self._take(f"{GIVEN}{row.name}", math.prod(shape)).reshape(shape)
        found = found.astype(row.answer.dtype(self._spec))
        try:
            check(row.answer.what, found, self._spec, rows)
        except LearnerFailed as failure:
            raise UsageError(f"no run gave these answers: {failure}") from failure
        return found

    def _answer(self, rows: int, *_: Any, **__: Any) -> Array:
        shape, outputs = self._spec.scores_shape(rows), self._spec.outputs
        count = math.prod(shape[:-1])
        if "values" in self._kept:
            return self._take("values", count * outputs).reshape(shape)
        labels = self._take("labels", count)
        if _alike(self._before, count):
            labels = labels + self._before
        self._before = labels
        if count and int(labels.max()) >= outputs:
            raise UsageError(f"expected labels below {outputs}; got {int(labels.max())}")
        last = self._places["labels"] == len(self._kept["labels"])
        sure = self._kept.get("confidence") if last else None
        sure = np.ones(count, np.float16) if sure is None else sure
        if len(sure) != count:
            raise UsageError(f"expected {count} confidences; got {len(sure)}")
        return _scores(labels, sure, outputs).reshape(shape)

    def _take(self, name: str, count: int) -> Array:
        if name not in self._kept:
            raise UsageError(f"expected answers as {name}; got {sorted(self._kept)[:9]}")
        place = self._places.get(name, 0)
        found = self._kept[name][place : place + count]
        if len(found) < count:
            raise UsageError("the benchmark asks for more than was answered when it was run")
        self._places[name] = place + count
        return found

    @property
    def over(self) -> bool:
        """Whether every answer has been asked for."""
        answers = (n for n in self._kept if n in ("labels", "values") or n.startswith(GIVEN))
        return all(self._places.get(name, 0) == len(self._kept[name]) for name in answers)


def recompute(bench: Benchmark, stage: str, seed: int, predictions: Mapping[str, Array]) -> Outcome:
    """The outcome of recorded answers, arrays (n,) by name, by the benchmark as it is now.

    What is made of the label that an answer names comes out the same; of the last answer also what
    is made of how sure it was. Figures made of other scores (a loss on the way) do not.

    Raises:
        UsageError: no answers were kept, or they are not those of this benchmark.
    """
    if not predictions:
        raise UsageError(f"no answers were kept of {bench.name}, {stage} stage, seed {seed}")
    try:
        with np.errstate(all="ignore"):  # what comes of it is looked at
            return finite(bench.conduct(PlaybackLab(bench, stage, seed, predictions)))
    except CONTENT as error:
        raise UsageError(
            f"{bench.name} makes nothing of these answers, so no run gave them: "
            f"{type(error).__name__}: {error}"
        ) from error


def together(answers: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """What several learners answered, flat arrays (n,), in one table: the judged one's under their
    own names, another one's labels under its name and the rest under NAME.what. Nothing if the
    judged one's are not kept."""
    found = dict(answers.get(JUDGED, {}))
    if not found:
        return {}
    for name, arrays in answers.items():
        for what, array in arrays.items() if name != JUDGED else ():
            if what == "labels":
                found[name] = array
            elif what in OTHERS or what.startswith(GIVEN):
                found[f"{name}.{what}"] = array
    return found


def _of(name: str, predictions: Mapping[str, Array]) -> dict[str, Array]:
    """What one of the other learners answered: the reverse of `together`."""
    found = {"labels": predictions[name]} if name in predictions else {}
    begin = f"{name}."
    named = {w.removeprefix(begin): a for w, a in predictions.items() if w.startswith(begin)}
    return found | named


class PlaybackLab(Lab):
    """Learners that answer what was answered before, or zeros where nothing is given at all."""

    def __init__(
        self, bench: Benchmark, stage: str, seed: int, predictions: Mapping[str, Array] | None
    ) -> None:
        super().__init__(bench, stage, seed)
        self._spec = bench.stream_of(stage, seed)
        self._kept: dict[str, dict[str, Array]] | None = None
        if predictions is not None:
            others = {name: _of(name, predictions) for name in bench.learners}
            taken = {w for n in others for w in predictions if w == n or w.startswith(f"{n}.")}
            judged = {w: array for w, array in predictions.items() if w not in taken}
            self._kept = {JUDGED: judged, **{n: kept for n, kept in others.items() if kept}}
        self._had: set[str] = set()

    @contextmanager
    def learner(
        self, name: str = JUDGED, *, spec: TaskSpec | None = None
    ) -> Iterator[LearnerChannel]:
        self._expect(name, name in self._had)
        self._had.add(name)
        channel = Neutral() if self._kept is None else Playback(self._kept.get(name, {}))
        channel.start(spec or self._spec)
        yield channel
        if not channel.over:
            raise UsageError("the benchmark asks for less than was answered when it was run")

    def has(self, name: str) -> bool:
        return super().has(name) and (self._kept is None or name in self._kept)


class Neutral(Playback):
    """A channel on whose other end there is nobody: to every question it answers zeros."""

    def __init__(self) -> None:
        super().__init__({"values": np.zeros(0, np.float32)})

    def finish(self) -> Cost:
        return Cost(0, 0)

    def _answer(self, rows: int, *_: Any, **__: Any) -> Array:
        return np.zeros(self._spec.scores_shape(rows), np.float32)

    def _gave(self, row: Verb, shape: tuple[int, ...], rows: int) -> Array:
        return nothing(row, self._spec, shape)


GIVEN = "given."
"""Begins the names of what verbs gave back that give no scores."""
_KINDS = {"labels": "u", "values": "f", "confidence": "f", "costs": "i"}


def _plausible(name: str, given: Array) -> Array:
    """An array of a record, if it is one that `Transcript.packed` could have made."""
    array = np.asarray(given)
    kind, wide = _KINDS.get(name, ""), 2 if name == "costs" else 1
    if name.startswith(GIVEN) and name.removeprefix(GIVEN) in VERBS:
        kind = "f" if array.dtype.kind == "f" else "i"
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


def nothing(row: Verb, spec: TaskSpec, shape: tuple[int, ...]) -> Array:
    """An answer of that `shape` to a verb, which says nothing and which no check turns down."""
    if row.answer is None:
        raise ValueError(f"expected a verb that gives something back; got {row.name}")
    if row.answer.what == "indices":
        return np.arange(shape[0], dtype=np.int64)
    return np.zeros(shape, row.answer.dtype(spec))


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
