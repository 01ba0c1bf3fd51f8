"""How an agent learned, as compact text: curves, what it forgets, what it spends, how it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from cambrian.archive import Archive, Evaluation
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.calibration import calibration
from cambrian.evolution.admission.records import SEARCH_STAGES, kind_of
from cambrian.evolution.admission.results import Results
from cambrian.text import neutralise

POINTS = 12
"""Of a curve."""
CURVES_OF = 3
"""Series of one evaluation that are shown."""
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.+@~-]+)+[/\\]([\w.+@~-]+)")
_SECRET = re.compile(
    r"\b(?:sk|pk|key|token|bearer)[-_ ][A-Za-z0-9_-]{8,}|\b[A-Za-z0-9+_-]{32,}={0,2}", re.I
)


def by_kind(results: Results, benchmarks: Sequence[str]) -> dict[str, dict[str, float]]:
    """The mean score over the benchmarks of each kind, with its interval."""
    found = {}
    for kind in dict.fromkeys(map(kind_of, benchmarks)):
        estimate = results.estimate([b for b in benchmarks if kind_of(b) == kind], results.search)
        numbers = {"score": estimate.mean, "lower": estimate.lower, "upper": estimate.upper}
        found[kind] = {name: round(float(one), 4) for name, one in numbers.items()}
    return found


def costs(rows: Sequence[Evaluation], benchmarks: Sequence[str]) -> dict[str, dict[str, float]]:
    """What an agent used of what it is allowed: shares of floating point operations and of bytes of
    state, the highest over its evaluations."""
    found = {}
    for name in benchmarks:
        own = [row for row in _searched(rows) if row.benchmark == name]
        allowed = calibration(benchmark(name))
        if own:
            found[name] = {
                "flops": round(max(row.flops or 0 for row in own) / allowed.flops_allowed, 3),
                "state": round(max(row.state_bytes or 0 for row in own) / allowed.state_allowed, 3),
            }
    return found


def curves(
    archive: Archive, rows: Sequence[Evaluation], benchmarks: Sequence[str]
) -> dict[str, str]:
    """The series of each benchmark's first seed as text, those with the lowest score first."""
    own = [row for row in _searched(rows) if row.seed == 0 and row.benchmark in benchmarks]
    own.sort(key=lambda row: (row.score or 0.0, row.benchmark))
    found = {}
    for row in own:
        series = archive.evaluations.series(row.id)
        lines = [f"{name}: {compact(array)}" for name, array in list(series.items())[:CURVES_OF]]
        found[row.benchmark] = "\n".join(lines) or "no curves were kept"
    return found


def compact(array: np.ndarray) -> str:
    """A curve (n,) at up to 12 points, in percent; a matrix (tasks, tasks) row by row, each of
    what was known after a task."""
    if array.ndim == 2:
        return " | ".join(compact(row) for row in array[:POINTS])
    values = np.asarray(array, dtype=float).ravel()
    at = np.unique(np.linspace(0, len(values) - 1, min(POINTS, len(values))).astype(int))
    shown = [values[place] for place in at]
    return " ".join("?" if not np.isfinite(one) else f"{100 * one:.0f}" for one in shown)


def clean(reason: str, most: int = 1500) -> str:
    """A learner's words on its failure, without paths of a machine, keys and control characters."""
    text = _SECRET.sub("[removed]", _PATH.sub(r"\1", neutralise(reason[: 4 * most])))
    return text[:most]


def _searched(rows: Sequence[Evaluation]) -> list[Evaluation]:
    return [row for row in rows if row.stage in SEARCH_STAGES and row.verdict == "scored"]


__all__ = ["by_kind", "clean", "compact", "costs", "curves", "kind_of"]
