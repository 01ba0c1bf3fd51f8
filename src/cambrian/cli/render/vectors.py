"""Score vectors as a picture: horizontal dots with intervals, one row a family.

Agents are told apart by the shapes of their markers, so that the picture can be read in grey; the
colours are Okabe and Ito's, which differ for every kind of colour vision. matplotlib is imported
with this module.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cambrian.cli.render.text import line
from cambrian.errors import UsageError
from cambrian.evaluators.statistics import Estimate
from cambrian.reports.scores.experts import ExpertVector
from cambrian.reports.scores.vectors import ScoreVector, VectorReport

CHAMPION = ("*", "#000000", 110)
OTHERS = (
    ("o", "#0072B2"),
    ("s", "#E69F00"),
    ("^", "#009E73"),
    ("D", "#CC79A7"),
    ("v", "#56B4E9"),
    ("P", "#D55E00"),
    ("X", "#999999"),
    ("<", "#7F3B08"),
    (">", "#0072B2"),
    ("p", "#E69F00"),
    ("h", "#009E73"),
    ("d", "#CC79A7"),
)
"""Shape and colour of each agent but the champion; no shape comes twice."""

SPREAD = 0.7
"""The share of a row's height over which its agents are spread, so that intervals stay apart."""

GAP = 0.7
"""Rows between the search's streams and the sealed ones."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cambrian",
    "text.parse_math": False,  # titles are what agents wrote
}


def draw_vectors(target: Path, report: VectorReport) -> None:
    """Write the picture; the format follows the suffix. The same archive gives the same file.

    Raises:
        UsageError: there are more agents than shapes. OSError: the file cannot be written.
    """
    shown = _shown(report)
    if len(shown) > len(OTHERS) + 1:
        raise UsageError(
            f"expected at most {len(OTHERS) + 1} agents in one picture, got {len(shown)}: "
            "name fewer with --agents, or ask for --format table"
        )
    rows = _places(report)
    height = 1.9 + len(rows) * max(0.36, 0.075 * len(shown))
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a title's letters that no font has
        figure = Figure(figsize=(9, height), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _rows(axes, report, rows)
        _agents(axes, shown, rows)
        _label(figure, axes, report)
        suffix = target.suffix.lower()
        dateless = {"Date": None} if suffix == ".svg" else {"Software": "cambrian"}
        figure.savefig(target, format=suffix.removeprefix("."), metadata=dateless)


def _shown(report: VectorReport) -> tuple[ScoreVector | ExpertVector, ...]:
    return (*report.vectors, *report.experts)


def _places(report: VectorReport) -> dict[str, float]:
    """Where each stream's row is, from the top; the sealed ones after a gap."""
    places = {entry.benchmark: float(at) for at, entry in enumerate(report.search)}
    below = len(report.search) + GAP
    return places | {entry.benchmark: below + at for at, entry in enumerate(report.sealed)}


def _rows(axes: Any, report: VectorReport, rows: Mapping[str, float]) -> None:
    """A band for every other row, the names, and the line under the search's benchmarks."""
    for at in list(rows.values())[::2]:
        axes.axhspan(at - 0.5, at + 0.5, color="#f2f2f2", zorder=0, linewidth=0)
    entries = (*report.search, *report.sealed)
    names = [line(f"{entry.benchmark} v{entry.version}") for entry in entries]
    axes.set_yticks(list(rows.values()), names)
    axes.set_ylim(max(rows.values()) + 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for at in (0, 1):
        axes.axvline(at, color="#777777", linewidth=0.8, linestyle=":", zorder=1)
    if report.sealed:
        under = len(report.search) - 0.5
        axes.axhline(under, color="#000000", linewidth=1.2)
        axes.annotate(
            "sealed: no search saw these",
            xy=(0.0, under + GAP / 2),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            style="italic",
        )


def _agents(
    axes: Any, vectors: Sequence[ScoreVector | ExpertVector], rows: Mapping[str, float]
) -> None:
    others = iter(OTHERS)
    for place, vector in enumerate(vectors):
        shape, color, size = CHAMPION if vector.role == "champion" else (*next(others), 34)
        offset = SPREAD * ((place + 0.5) / len(vectors) - 0.5)
        shown = [(at + offset, vector.scores[n]) for n, at in rows.items() if n in vector.scores]
        y, x = [at for at, _ in shown], [found.mean for _, found in shown]
        for at, found in shown:
            if math.isfinite(found.lower) and math.isfinite(found.upper):
                _interval(axes, at, found, color)
        axes.scatter(
            x,
            y,
            marker=shape,
            c=color,
            s=size,
            edgecolors="#000000",
            linewidths=0.5,
            zorder=3,
            label=_name(vector),
        )


def _interval(axes: Any, at: float, found: Estimate, color: str) -> None:
    axes.plot([found.lower, found.upper], [at, at], color=color, linewidth=1.1, zorder=2)


def _name(vector: ScoreVector | ExpertVector) -> str:
    if vector.role == "expert":
        return f"expert {vector.name}"
    title = line(vector.agent.title)
    shown = title if len(title) <= 40 else f"{title[:39]}…"
    champion = "champion, " if vector.role == "champion" else ""
    return f"{champion}#{vector.agent.number} {shown}"


def _short(vector: ScoreVector | ExpertVector) -> str:
    return _name(vector) if vector.role == "expert" else f"#{vector.agent.number}"


def _label(figure: Any, axes: Any, report: VectorReport) -> None:
    axes.set_title(line(report.title), loc="left")
    failed = "; ".join(
        f"{_short(v)} failed on {', '.join(v.failed)}" for v in _shown(report) if v.failed
    )
    under = (
        "normalised score: 0 is a stream's floor, 1 its ceiling; mean with 95 % interval over seeds"
    )
    axes.set_xlabel(f"{under}\n{line(failed)}" if failed else under)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if report.vectors or report.experts:
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
