"""What every benchmark promises, as checks that any benchmark can be put through.

`check` drives a benchmark with nobody at the other end and looks at all that it would have shown a
learner; `check_measured` looks at what reference learners did on it. Used by `cambrian bench
check`, by this project's own tests, and by whoever brings a benchmark::

    for finding in check(MyBenchmark()):
        assert finding.kept, finding
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cambrian.agents.spec import KINDS, TaskSpec
from cambrian.errors import CambrianError
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Card, Outcome
from cambrian.evaluators.lab import JUDGED, Lab
from cambrian.evaluators.transcript import nothing
from cambrian.sandbox.runner.verbs import dtype_of, shape_of
from cambrian.sandbox.session.claims import Cost
from cambrian.sandbox.session.learner_channel import Diagnosis, LearnerChannel, checked_call

MIN_CARD = 10
LOOKED_AT = 2000
INPUTS = ("x", "pool", "observations", "next_observations")


@dataclass(frozen=True)
class Finding:
    """One promise, and whether it was kept.

    Attributes:
        promise: what was promised, as a sentence.
        kept: whether it was.
        said: what was seen instead, where it was not.
    """

    promise: str
    kept: bool
    said: str = ""


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
        self.watched: dict[str, Watching] = {}

    @contextmanager
    def learner(
        self, name: str = JUDGED, *, spec: TaskSpec | None = None
    ) -> Iterator[LearnerChannel]:
        self._expect(name, name in self.watched)
        self.watched[name] = Watching(spec or self.bench.stream(self.stage))
        yield self.watched[name]


def watch(bench: Benchmark, stage: str, seed: int) -> tuple[Watching, Outcome]:
    """A benchmark's run with nobody at the other end; what the judged learner was shown."""
    lab = WatchingLab(bench, stage, seed)
    outcome = bench.conduct(lab)
    if JUDGED not in lab.watched:
        raise ValueError("it opened no learner to judge")
    return lab.watched[JUDGED], outcome


class _Seen:
    """A benchmark's runs, each watched once."""

    def __init__(self, bench: Benchmark) -> None:
        self.bench = bench
        self._runs: dict[tuple[str, int], tuple[Watching, Outcome]] = {}

    def run(self, stage: str, seed: int) -> tuple[Watching, Outcome]:
        if (stage, seed) not in self._runs:
            self._runs[stage, seed] = watch(self.bench, stage, seed)
        return self._runs[stage, seed]


# -- the promises ----------------------------------------------------------------------


def check(bench: Benchmark) -> list[Finding]:
    """Every promise that needs no learner, in a fixed order. Runs no code but the benchmark's.

    A benchmark that raises breaks the promise that was being looked at.

    Raises:
        CambrianError: the benchmark says itself what is wrong with its data.
    """
    promises: tuple[tuple[str, Callable[[_Seen], str]], ...] = (
        ("it has a name, a version and a whole card", _described),
        ("all that a learner is shown is finite", _finite),
        ("the same seed is the same stream to the last bit", _repeats),
        ("other seeds, and sealed runs, are other streams", _differs),
        ("every stage is as it was announced", _announced),
        ("no input is asked about after its label was shown", _hidden),
        ("labels are taken back before others are revealed, and in the end", _taken_back),
        ("no input gives its label away by itself", _no_giveaway),
        ("the smoke stage is the smaller one", _smaller),
    )
    seen, found = _Seen(bench), []
    for promise, look in promises:
        try:
            said = look(seen)
        except CambrianError:
            raise
        except Exception as error:  # noqa: BLE001 - the benchmark is somebody's code
            said = f"{type(error).__name__}: {error}"
        found.append(Finding(promise, not said, said))
    return found


def _described(seen: _Seen) -> str:
    bench = seen.bench
    if not bench.name.replace("-", "").isalnum() or bench.name != bench.name.lower():
        return f"expected a name of lower-case letters, digits and hyphens; got {bench.name!r}"
    given: tuple[Any, Any] = (bench.version, bench.card)
    if not isinstance(given[0], str) or not given[0]:
        return f"expected a version (a text); got {given[0]!r}"
    if not isinstance(given[1], Card):
        return f"expected a Card; got {type(given[1]).__name__}"
    empty = [f.name for f in fields(Card) if len(getattr(bench.card, f.name).strip()) < MIN_CARD]
    return f"the card says nothing of: {', '.join(empty)}" if empty else ""


def _finite(seen: _Seen) -> str:
    for stage, seed in (("smoke", 1), ("full", 1), ("sealed", 1)):
        for number, (what, array) in enumerate(seen.run(stage, seed)[0].shown):
            if array.dtype.kind != "f" or np.isfinite(array).all():
                continue
            first = tuple(int(n) for n in np.argwhere(~np.isfinite(array))[0])
            where = f"row {first[0]}" + (f", input {first[1]}" if len(first) > 1 else "")
            return (
                f"stage {stage}, seed {seed}, array {number} ({what}), {where}: expected a finite "
                f"number, got {array[first]:g}{_throughout(array, first)}"
            )
    return ""


def _throughout(array: Array, first: tuple[int, ...]) -> str:
    """A hint where a whole column is no number: dividing by its deviation of 0 makes it so."""
    if array.ndim != 2 or len(array) < 2 or np.isfinite(array[:, first[1]]).any():
        return ""
    return " as in every row (is its column constant, or one of its cells nan or too large?)"


def _repeats(seen: _Seen) -> str:
    (one, first), (other, second) = seen.run("full", 1), watch(seen.bench, "full", 1)
    if [what for what, _ in one.shown] != [what for what, _ in other.shown]:
        return "two runs of seed 1 show different things"
    for number, ((what, a), (_, b)) in enumerate(zip(one.shown, other.shown, strict=True)):
        if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            return f"array {number} ({what}) differs between two runs of seed 1"
    return "" if first.raw == second.raw else "the same answers got two different scores"


def _differs(seen: _Seen) -> str:
    def values(stage: str, seed: int) -> Array:
        return np.concatenate([a.ravel()[:200] for _, a in seen.run(stage, seed)[0].shown])

    first = values("full", 1)
    for stage, seed in (("full", 2), ("sealed", 1)):
        if np.array_equal(first, values(stage, seed)):
            return f"stage {stage}, seed {seed} shows what stage full, seed 1 does"
    return ""


def _announced(seen: _Seen) -> str:
    for stage in ("smoke", "full"):
        stream = seen.bench.stream(stage)
        if said := _specified(stream):
            return said
        channel, outcome = seen.run(stage, 1)
        for what, array in channel.shown:
            if what.split(".")[-1] not in INPUTS:
                continue
            if array.shape[1:] != stream.input_shape or array.dtype != np.float32:
                return f"{what} is {array.dtype} {array.shape}, not float32 {stream.input_shape}"
        labels = [a for what, a in channel.shown if what.split(".")[-1] == "y"]
        if said := _labelled(stream, labels):
            return said
        if any(what == "boundary" for what, _ in channel.shown) != stream.boundaries:
            return f"boundaries were announced as {stream.boundaries}"
        if any(task is not None for task in channel.named) != stream.task_identity:
            return f"task identity was announced as {stream.task_identity}"
        least, most = seen.bench.raw_range
        if not least <= outcome.raw <= most:
            return f"expected a raw score from {least:g} to {most:g}; got {outcome.raw}"
        if extra := channel.called - set(seen.bench.verbs):
            announced = ", ".join(seen.bench.verbs)
            return f"it calls {', '.join(sorted(extra))}; its verbs are announced as {announced}"
    return ""


def _specified(spec: TaskSpec) -> str:
    """What is missing in a spec of its kind."""
    if spec.kind not in KINDS:
        return f"expected one of {', '.join(KINDS)}; got {spec.kind!r}"
    if spec.kind == "control":
        if spec.environments < 1 or not (spec.actions or spec.action_shape):
            return f"expected environments, and actions or an action_shape; got {spec}"
        return ""
    if spec.outputs < 1:
        return f"expected outputs of at least 1; got {spec}"
    if spec.kind == "active" and not (spec.pool and spec.label_budget):
        return f"expected a pool and a label_budget; got {spec}"
    return ""


def _labelled(spec: TaskSpec, labels: list[Array]) -> str:
    outputs, whole = spec.outputs, dtype_of("y", spec)
    for y in labels:
        shape = shape_of("y", spec, len(y))
        what = "labels" if whole.kind == "i" else "targets"
        if y.dtype != whole or y.shape != shape:
            rows = ", ".join(("B", *map(str, shape[1:]))) + ("," if len(shape) == 1 else "")
            return f"expected {what} {whole.name} ({rows}); got {y.dtype} {y.shape}"
        if whole.kind == "i" and y.size and not 0 <= int(y.min()) <= int(y.max()) < outputs:
            return f"expected labels from 0 to {outputs - 1}; got {y.min()} to {y.max()}"
    return ""


def _hidden(seen: _Seen) -> str:
    channel, _ = seen.run("full", 1)
    if channel.known_when_asked:
        return f"{channel.known_when_asked} inputs were asked about whose label had been shown"
    told = [said for said in channel.breaches if "published before" not in said]
    return told[0] if told else ""


def _taken_back(seen: _Seen) -> str:
    channel, _ = seen.run("full", 1)
    if channel.open:
        return f"left published in the end: {', '.join(channel.open)}"
    late = [said for said in channel.breaches if "published before" in said]
    return late[0] if late else ""


def _no_giveaway(seen: _Seen) -> str:
    """A column that was meant to be left out: as many values as labels, each with its own."""
    if seen.bench.stream("full").kind != "classification":
        return ""
    channel, _ = seen.run("full", 1)
    files = [(f["x"].reshape(len(f["x"]), -1), f["y"]) for f in channel.files if "y" in f]
    if not files:
        return ""
    rows = sum(len(y) for _, y in files)
    every = max(1, rows // LOOKED_AT)
    x, y = (np.concatenate(parts)[::every] for parts in zip(*files, strict=True))
    labels = np.unique(y)
    if seen.bench.stream("full").episodic or len(labels) < 2:
        return ""
    for column in range(x.shape[1]):
        values, place = np.unique(x[:, column], return_inverse=True)
        if len(values) == len(labels) and len(np.unique(place * len(labels) + y)) == len(labels):
            return f"input {column} has one value for each label: is it the label?"
    return ""


def _smaller(seen: _Seen) -> str:
    rows = {stage: seen.run(stage, 1)[0].observed for stage in ("smoke", "full")}
    return "" if rows["smoke"] < rows["full"] else f"rows observed: {rows}"


# -- floor, ceiling and cost -----------------------------------------------------------

APART = 0.3
SMOKE_S, FULL_S = 10.0, 60.0


@dataclass(frozen=True)
class Measured:
    """Means over seeds of what one agent did on one stage."""

    raw: float
    flops: float
    state_bytes: float
    cpu_s: float


def check_measured(floor: Measured, ceiling: Measured, smoke: Measured) -> list[Finding]:
    """The promises that need learners: ends apart, stages affordable."""
    gap = ceiling.raw - floor.raw
    return [
        Finding(
            f"the ceiling is at least {APART} above the floor",
            gap >= APART,
            "" if gap >= APART else f"floor {floor.raw:.3f}, ceiling {ceiling.raw:.3f}",
        ),
        Finding(
            f"a smoke seed takes at most {SMOKE_S:g} processor seconds, a full one {FULL_S:g}",
            smoke.cpu_s <= SMOKE_S and floor.cpu_s <= FULL_S,
            f"smoke {smoke.cpu_s:.1f} s, full {floor.cpu_s:.1f} s",
        ),
    ]


__all__ = ["Finding", "Measured", "Watching", "check", "check_measured", "watch"]
