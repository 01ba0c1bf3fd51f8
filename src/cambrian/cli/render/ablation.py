"""Real searches as pictures. matplotlib is imported with this module, and only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cambrian.experiments.contrasts import AXES, FIGURES, NAMES, Axis, Report, Row, value_at

# Told apart without colour, too: by their dashes.
COLORS = ("#1b7837", "#b2182b", "#2166ac", "#8c510a", "#762a83", "#000000")
DASHES = ("-", "--", ":", "-.")
POINTS = 200


def draw_ablation(folder: Path, found: Report) -> list[Path]:
    """Write the pictures, three for each rule of admission: the champion's sealed score over
    evaluations and over CPU seconds, and the paired differences.

    Raises:
        OSError: one cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for rule in dict.fromkeys(row.admission for row in found.rows):
        rows = [row for row in found.rows if row.admission == rule]
        for axis in AXES[1:]:
            target = folder / f"{rule}-{axis.replace('_', '-')}.svg"
            _save(target, _curves(rows, axis, found.threshold))
            written.append(target)
        if any(one.admission == rule and one.repeats > 1 for one in found.contrasts):
            target = folder / f"{rule}-differences.svg"
            _save(target, _differences(found, rule))
            written.append(target)
    return written


def _curves(rows: Sequence[Row], axis: Axis, threshold: float) -> Figure:
    figure, axes = _empty()
    for at, name in enumerate(dict.fromkeys(row.strategy for row in rows)):
        mine = [row.outcome for row in rows if row.strategy == name]
        color, dash = COLORS[at % len(COLORS)], DASHES[at % len(DASHES)]
        for one in mine:
            x = np.linspace(0, getattr(one, axis), POINTS)
            y = [value_at(one.reigns, axis, each) for each in x]
            axes.step(x, y, where="post", color=color, alpha=0.25, linewidth=0.8)
        # Their mean, as far as all of them go.
        x = np.linspace(0, min(getattr(one, axis) for one in mine), POINTS)
        y = [float(np.mean([value_at(one.reigns, axis, each) for one in mine])) for each in x]
        label = f"{name} (mean of {len(mine)})"
        axes.step(x, y, where="post", color=color, linestyle=dash, linewidth=2, label=label)
    axes.axhline(threshold, color="#808080", linewidth=0.8, label="to come above")
    axes.set_xlabel(NAMES[axis])
    axes.set_ylabel("champion on sealed data (0 floor, 1 ceiling)")
    axes.legend(fontsize="small", loc="best")
    return figure


def _differences(found: Report, rule: str) -> Figure:
    figure, axes = _empty()
    pairs = [one for one in found.contrasts if one.admission == rule and one.repeats > 1]
    names = list(FIGURES)
    for at, one in enumerate(pairs):
        y = np.arange(len(names)) + 0.8 * (at / len(pairs)) - 0.3
        means = np.array([one.apart[name].mean for name in names])
        low = means - [one.apart[name].lower for name in names]
        high = [one.apart[name].upper for name in names] - means
        label = f"{one.one} − {one.other} ({one.repeats} repeats)"
        color = COLORS[at % len(COLORS)]
        marker = "os^Dv*"[at % 6]
        axes.errorbar(means, y, xerr=[low, high], fmt=marker, color=color, capsize=3, label=label)
    axes.axvline(0, color="#808080", linewidth=0.8)
    axes.set_yticks(range(len(names)), [FIGURES[name] for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("paired difference, 95 % interval")
    axes.legend(fontsize="small", loc="best")
    return figure


def _empty() -> tuple[Figure, Any]:
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.25)
    return figure, axes


def _save(target: Path, figure: Figure) -> None:
    with mpl.rc_context({"svg.hashsalt": "cambrian"}):  # the same results give the same file
        figure.savefig(target, format="svg", metadata={"Date": None})
