"""Lifelong-learning metrics over a log of training and test blocks (L2Metrics).

New 2022 (arXiv 2201.08278) and Baker 2023 (arXiv 2301.07799), as `l2metrics` 3.1 computes them:
performances are scaled per task to [1, 101] over the log and the single-task experts, training
blocks are smoothed, and everything else is made of those. Each function gives the value of every
task that has one; `lifetime` is their mean. Two things are done otherwise, and only matter where
several tasks are trained between two tests: no transfer value overwrites another, and none is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Experts = Mapping[str, Sequence[Floats]]
"""Training curves of single-task experts, by task: one or more runs each."""

SCALE, OFFSET = 100.0, 1.0
TERMINAL_SHARE = 0.1
SMOOTHED_SHARE, WIDEST = 0.2, 100
SATURATED_SHARE = 0.2


@dataclass(frozen=True)
class Block:
    """A stretch of experiences on one task: performance (n,) of each, in order."""

    kind: Literal["train", "test"]
    task: str
    values: Floats


@dataclass(frozen=True)
class Transfer:
    """From training `source` to the performance on `target`, between two tests of it."""

    source: str
    target: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """TP₂ / TP₁: explodes where TP₁ is near the floor."""
        return self.after / self.before

    @property
    def contrast(self) -> float:
        """(TP₂ − TP₁) / (TP₁ + TP₂), between −1 and 1."""
        return (self.after - self.before) / (self.after + self.before)


# -- preparation ---------------------------------------------------------------------------


def normalised(
    log: Sequence[Block], experts: Experts | None = None
) -> tuple[list[Block], dict[str, list[Floats]]]:
    """Log and experts with performances scaled per task to [1, 101], training blocks smoothed;
    every curve keeps its shape (n,).

    A task whose performance never varies becomes 1 throughout.

    Raises:
        ValueError: an empty block, or a performance that is not finite.
    """
    experts = experts or {}
    scales = {task: _scale(task, log, experts) for task in {block.task for block in log}}
    blocks = [replace(b, values=_prepared(b.values, b.kind, scales[b.task])) for b in log]
    runs = {
        task: [_prepared(np.asarray(run, float), "train", scales[task]) for run in given]
        for task, given in experts.items()
        if task in scales
    }
    return blocks, runs


def smoothed(values: Floats) -> Floats:
    """Moving average over min(n/5, 100) experiences, reflected at both ends; (n,) in and out."""
    width = min(int(values.size * SMOOTHED_SHARE), WIDEST)
    if width < 3:
        return values
    padded = np.r_[values[width - 1 : 0 : -1], values, values[-2 : -width - 1 : -1]]
    averages = np.convolve(np.full(width, 1 / width), padded, mode="valid")
    return averages[int(np.floor(width / 2 - 1)) : -int(np.ceil(width / 2))]


def _scale(task: str, log: Sequence[Block], experts: Experts) -> tuple[float, float]:
    parts = [np.asarray(b.values, float) for b in log if b.task == task]
    parts += [np.asarray(run, float) for run in experts.get(task, ())]
    if not all(part.size and np.isfinite(part).all() for part in parts):
        raise ValueError(f"task {task!r}: expected finite performances in every block")
    values = np.concatenate(parts)
    return float(values.min()), float(values.max())


def _prepared(values: Floats, kind: str, scale: tuple[float, float]) -> Floats:
    low, high = scale
    span = high - low
    scaled = (np.asarray(values, float) - low) / span * SCALE + OFFSET if span else values * 0 + 1
    return smoothed(scaled) if kind == "train" else scaled


# -- per task ------------------------------------------------------------------------------


def terminal_performance(block: Block) -> float:
    """TP: the mean of the last tenth of a training block, or of a whole test block."""
    share = TERMINAL_SHARE if block.kind == "train" else 1.0
    return float(np.mean(block.values[int((1 - share) * block.values.size) :]))


def performance_maintenance(log: Sequence[Block]) -> dict[str, float]:
    """PM: mean over later tests of TP minus the TP of the first test after the task's most
    recent training (MRLEP; New 2022). Below 0 is forgetting."""
    found = {}
    for task in _tasks(log):
        trained = _places(log, task, "train")
        tests = _places(log, task, "test")
        firsts = {min((t for t in tests if t > train), default=-1) for train in trained}
        changes = []
        for test in tests:
            before = [first for first in firsts if 0 <= first < test]
            if before and test not in firsts:
                reference = terminal_performance(log[max(before)])
                changes.append(terminal_performance(log[test]) - reference)
        if changes:
            found[task] = float(np.mean(changes))
    return found


def forward_transfers(log: Sequence[Block]) -> list[Transfer]:
    """FT: each test of a task before and the next one after training another, with the task
    itself not trained yet (New 2022)."""
    return _transfers(log, lambda block, first: first is None or block < first)


def backward_transfers(log: Sequence[Block]) -> list[Transfer]:
    """BT: the same with the task trained already (New 2022)."""
    return _transfers(log, lambda block, first: first is not None and block > first)


def relative_performance(log: Sequence[Block], experts: Experts) -> dict[str, float]:
    """RP: Σ of the first n performances while training over Σ of the expert's first n, n the
    shorter of the two; mean over the experts' runs (New 2022)."""
    found = {}
    for task, own in _training(log).items():
        ratios = []
        for run in experts.get(task, ()):
            n = min(len(own), len(run))
            ratios.append(float(own[:n].sum() / run[:n].sum()))
        if ratios:
            found[task] = float(np.mean(ratios))
    return found


def sample_efficiency(log: Sequence[Block], experts: Experts) -> dict[str, float]:
    """SE = (sat_LL/sat_STE) · (n_STE/n_LL): sat the maximum of the smoothed curve, n where it is
    reached (New 2022); mean over the experts' runs.

    0 where sat_LL < 0.2 sat_STE or the training curve falls (its least-squares slope); a task or
    run that is at its maximum from the start has none.
    """
    found = {}
    for task, own in _training(log).items():
        saturation, reached = _saturation(own)
        if reached == 0:
            continue
        falling = len(own) > 1 and np.polyfit(np.arange(len(own)), own, 1)[0] < 0
        values = []
        for run in experts.get(task, ()):
            best, n = _saturation(run)
            if n == 0:
                continue
            wrong = falling or saturation < SATURATED_SHARE * best
            values.append(0.0 if wrong else (saturation / best) * (n / reached))
        if values:
            found[task] = float(np.mean(values))
    return found


def recovery_times(log: Sequence[Block]) -> dict[str, list[int]]:
    """For each training block of a task but its first, how many experiences it took to be where
    the one before ended (its TP); one more than there were, if it never was."""
    found: dict[str, list[int]] = {}
    for task in _tasks(log):
        blocks = [log[place] for place in _places(log, task, "train")]
        for before, after in pairwise(blocks):
            there = np.flatnonzero(after.values >= terminal_performance(before))
            times = int(there[0]) if there.size else len(after.values) + 1
            found.setdefault(task, []).append(times)
    return found


def performance_recovery(log: Sequence[Block]) -> dict[str, float]:
    """PR: minus the Theil-Sen slope of the recovery times (New 2022): above 0, it
    recovers faster and faster. Tasks with fewer than two recovery times have none."""
    times = recovery_times(log)
    return {t: -float(stats.theilslopes(r)[0]) for t, r in times.items() if len(r) > 1}


# -- the whole -----------------------------------------------------------------------------


def lifetime(values: Mapping[str, float]) -> float:
    """The mean over tasks; NaN where no task has a value."""
    return float(np.mean(list(values.values()))) if values else float("nan")


def lifetime_transfer(
    transfers: Iterable[Transfer], kind: Literal["ratio", "contrast"] = "contrast"
) -> float:
    """The mean over pairs of tasks of the *first* transfer of each; NaN where there is none."""
    first: dict[tuple[str, str], float] = {}
    for transfer in transfers:
        first.setdefault((transfer.source, transfer.target), getattr(transfer, kind))
    return float(np.mean(list(first.values()))) if first else float("nan")


def lifelong_metrics(log: Sequence[Block], experts: Experts | None = None) -> dict[str, float]:
    """The lifetime value of each metric that the log allows, of raw performances.

    Raises:
        ValueError: an empty block, or a performance that is not finite.
    """
    blocks, runs = normalised(log, experts)
    forward, backward = forward_transfers(blocks), backward_transfers(blocks)
    values = {
        "performance_maintenance": lifetime(performance_maintenance(blocks)),
        "forward_transfer_ratio": lifetime_transfer(forward, "ratio"),
        "forward_transfer_contrast": lifetime_transfer(forward, "contrast"),
        "backward_transfer_ratio": lifetime_transfer(backward, "ratio"),
        "backward_transfer_contrast": lifetime_transfer(backward, "contrast"),
        "relative_performance": lifetime(relative_performance(blocks, runs)),
        "sample_efficiency": lifetime(sample_efficiency(blocks, runs)),
        "performance_recovery": lifetime(performance_recovery(blocks)),
    }
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _tasks(log: Sequence[Block]) -> list[str]:
    return list(dict.fromkeys(block.task for block in log))


def _places(log: Sequence[Block], task: str, kind: str) -> list[int]:
    return [i for i, block in enumerate(log) if block.task == task and block.kind == kind]


def _training(log: Sequence[Block]) -> dict[str, Floats]:
    """All training of each task, its blocks one after the other."""
    found: dict[str, list[Floats]] = {}
    for block in log:
        if block.kind == "train":
            found.setdefault(block.task, []).append(block.values)
    return {task: np.concatenate(parts) for task, parts in found.items()}


def _saturation(values: Floats) -> tuple[float, int]:
    curve = smoothed(values)
    return float(curve.max()), int(curve.argmax())


def _transfers(log: Sequence[Block], counts: Callable[[int, int | None], bool]) -> list[Transfer]:
    """Tests of each task in a row with training of another between them; `counts` is asked about
    that training block and the task's own first one."""
    found = []
    for target in _tasks(log):
        tests = _places(log, target, "test")
        first = min(_places(log, target, "train"), default=None)
        for before, after in pairwise(tests):
            for place in range(before + 1, after):
                block = log[place]
                if block.kind == "train" and block.task != target and counts(place, first):
                    ends = terminal_performance(log[before]), terminal_performance(log[after])
                    found.append(Transfer(block.task, target, *ends))
    return found
