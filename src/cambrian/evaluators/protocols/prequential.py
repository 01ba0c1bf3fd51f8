"""Predict, then be told: streams in which every batch is a test before it is a lesson.

Judged by prequential accuracy (Gama, Sebastião & Rodrigues 2013, "On evaluating stream learning
algorithms"); where a stream drifts, also by how far accuracy falls and how soon it is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cambrian.evaluators import metrics
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.data import Floats, Labels
from cambrian.sandbox.session.learner_channel import LearnerChannel

WINDOW = 10


@dataclass(frozen=True)
class Series:
    """A stream in its order: x (N, *input_shape), y (N,), and where a new concept begins (row
    numbers; none for a drift without a moment). Trusted side only."""

    x: Floats
    y: Labels
    drifts: Sequence[int] = ()


def run_series(channel: LearnerChannel, series: Series, batch: int) -> Outcome:
    """Every batch is predicted, then its labels are revealed (those of the last batch never)."""
    batches = [slice(start, start + batch) for start in range(0, len(series.y), batch)]
    answers = channel.prequential((series.x[now], series.y[now]) for now in batches)
    right = [
        metrics.accuracy(scores, series.y[now])
        for scores, now in zip(answers, batches, strict=True)
    ]
    return judge(np.array(right, dtype=np.float32), [start // batch for start in series.drifts])


def judge(right: Floats, drifts: Sequence[int] = ()) -> Outcome:
    """The outcome of a stream from the accuracy on each batch.

    Args:
        right: accuracy on each batch (S,).
        drifts: the batches at which a new concept begins.
    """
    raw = float(right.mean())
    windows = right[: len(right) // WINDOW * WINDOW].reshape(-1, WINDOW).mean(1)
    values = {
        "accuracy": raw,
        "last_accuracy": float(windows[-len(windows) // 4 :].mean()),
        "min_accuracy": float(windows[len(windows) // 4 :].min()),
        "forgetting": 0.0,
        **_around(right, drifts),
    }
    return Outcome(raw, values, {"prequential_accuracy": windows.astype(np.float32)})


def _around(right: Floats, drifts: Sequence[int]) -> dict[str, float]:
    """The mean fall at a drift (the window before it less the window after it), and the mean
    number of batches until a window is as good as the one before the drift was (the length of the
    concept, where none was)."""
    ends = [*drifts, len(right)][1:]
    falls, times = [], []
    for start, end in zip(drifts, ends, strict=True):
        if start < WINDOW or end - start < WINDOW:
            continue
        before = float(right[start - WINDOW : start].mean())
        rolling = np.convolve(right[start:end], np.full(WINDOW, 1 / WINDOW), mode="valid")
        falls.append(before - float(rolling[0]))
        back = np.flatnonzero(rolling >= before - 1e-6)
        times.append(float(back[0]) if len(back) else float(end - start))
    if not falls:
        return {}
    return {"drift_fall": float(np.mean(falls)), "recovery_batches": float(np.mean(times))}
