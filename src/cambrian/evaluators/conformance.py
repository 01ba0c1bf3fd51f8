"""What every benchmark promises, as checks that any benchmark can be put through.

`check` drives a benchmark with nobody at the other end and looks at all that it would have shown a
learner; `check_measured` looks at what reference learners did on it. Used by `cambrian bench
check`, by this project's own tests, and by whoever brings a benchmark::

    for finding in check(MyBenchmark()):
        assert finding.kept, finding
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cambrian.agents.spec import KINDS, TaskSpec
from cambrian.errors import CambrianError
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Card, Outcome
from cambrian.evaluators.lab import JUDGED
from cambrian.evaluators.watching import Watching, WatchingLab
from cambrian.sandbox.runner.verbs import dtype_of, shape_of

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
        stream = seen.bench.stream_of(stage, 1)
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
        implied: tuple[str, ...] = ("task_boundary",) if stream.boundaries else ()
        implied += ("adapt", "new_episode") if stream.support else ()
        if extra := channel.called - {*seen.bench.verbs, *implied}:
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
