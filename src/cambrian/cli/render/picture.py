"""The progress of a run as a picture. matplotlib is imported with this module, and only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cambrian.archive import Agent, Archive
from cambrian.reports.progress import SEEDS_AT, Champions, at, champions, judged_of

# Told apart without colour, too: by their markers.
KINDS = {
    "improvement": ("#1b7837", "^", "improvement"),
    "stepping_stone": ("#2166ac", "s", "stepping stone"),
    None: ("#b0b0b0", "o", "rejected"),
}


def draw_progress(target: Path, archive: Archive, control: Archive | None) -> None:
    """Write the picture; the format follows the suffix.

    Raises:
        OSError: the file cannot be written.
    """
    figure = Figure(figsize=(9, 5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    agents = archive.agents.select(everyone=True)
    last = max((a.proposal_index or 0 for a in agents), default=0)
    judged = judged_of(archive, agents)
    _variants(axes, judged)
    _seeds(axes, agents)
    _line(axes, champions(agents), last, "champion", "#000000", "-")
    if control is not None:
        others = control.agents.select(everyone=True)
        last = max([last, *(a.proposal_index or 0 for a in others)])
        _line(axes, champions(others), last, "control's champion", "#b2182b", "--")
    _label(axes, len(judged))
    suffix = target.suffix.lower()
    figure.savefig(target, format=suffix.removeprefix("."), metadata=_undated(suffix))


def _variants(axes: Any, judged: Sequence[Agent]) -> None:
    """Every judged variant with a full score; those rejected before that, as ticks at the foot."""
    for kind, (color, marker, name) in KINDS.items():
        some = [a for a in judged if a.kind == kind and a.score is not None]
        if some:
            x, y = [at(a) for a in some], [a.score for a in some]
            axes.scatter(x, y, c=color, marker=marker, s=26, label=name, zorder=3)
    early = [at(a) for a in judged if a.score is None]
    if early:
        axes.plot(
            early,
            [0.01] * len(early),
            linestyle="none",
            marker="|",
            color=KINDS[None][0],
            transform=axes.get_xaxis_transform(),
            label="rejected early (no full score)",
        )


def _seeds(axes: Any, agents: Sequence[Agent]) -> None:
    seeds = [a for a in agents if a.status == "seed" and a.score is not None]
    if seeds:
        y = [a.score for a in seeds]
        axes.scatter([SEEDS_AT] * len(y), y, c="#8c510a", marker="D", s=26, label="seed", zorder=3)


def _line(axes: Any, best: Champions, last: int, name: str, color: str, style: str) -> None:
    if not best.x:
        return
    x = [*best.x, max(last, best.x[-1])]
    mean, lower = [*best.mean, best.mean[-1]], [*best.lower, best.lower[-1]]
    axes.step(x, mean, where="post", color=color, linestyle=style, label=f"{name}: mean")
    axes.step(
        x, lower, where="post", color=color, linestyle=style, alpha=0.45, label="  its lower bound"
    )


def _label(axes: Any, judged: int) -> None:
    axes.set_title(f"Cambrian: {judged} judged variants")
    axes.set_xlabel("proposal (number, in order of decision; seed agents at -1)")
    axes.set_ylabel("mean normalised score (0 floor, 1 ceiling)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="best")


def _undated(suffix: str) -> dict[str, str | None]:
    """The same archive gives the same file."""
    return {"Date": None} if suffix == ".svg" else {"Software": "cambrian"}
