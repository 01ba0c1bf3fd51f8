"""What was measured, over repeats: means, and differences paired by repeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from cambrian.evaluators.statistics import Estimate, mean_interval, paired_difference
from cambrian.experiments.measures import CHECKPOINTS
from cambrian.experiments.simulate import Block, Cell

BASELINES = ("random", "greedy")
Figures = Mapping[int, float | int | None]


@dataclass(frozen=True)
class Summary:
    """A cell over its repeats.

    Attributes:
        best: the mean true value of the champion at each checkpoint, and at the end.
        reached: the share of repeats that came to the threshold; `time` the median proposals that
            these took, None where none did.
        against: by baseline, the paired difference of the champion's true value at the end.
    """

    cell: Cell
    repeats: int
    best: Mapping[str, float]
    end: Estimate
    area: float
    reached: float
    time: float | None
    diversity: float
    stones: float
    members: float
    against: Mapping[str, Estimate]


def summaries(blocks: Iterable[Block]) -> list[Summary]:
    """Each cell, in the order in which they were measured first."""
    table: dict[Cell, dict[str, dict[int, float | int | None]]] = {}
    for block in blocks:
        columns = table.setdefault(block.cell, {})
        for name, figures in block.measures.items():
            columns.setdefault(name, {}).update(zip(block.repeats, figures, strict=True))
    return [_summary(cell, columns, table) for cell, columns in table.items()]


def _summary(
    cell: Cell,
    columns: Mapping[str, Figures],
    table: Mapping[Cell, Mapping[str, Figures]],
) -> Summary:
    against = {}
    for name in BASELINES:
        other = table.get(Cell(cell.landscape, name, cell.admission, cell.budget))
        if other is not None and name != cell.strategy:
            against[name] = _paired(columns["at_end"], other["at_end"])
    times = [time for time in columns["time"].values() if time is not None]
    points = [f"at_{point}" for point in CHECKPOINTS if f"at_{point}" in columns]
    return Summary(
        cell,
        len(columns["at_end"]),
        {name: _mean(columns[name]) for name in [*points, "at_end"]},
        mean_interval(_numbers(columns["at_end"])),
        _mean(columns["area"]),
        len(times) / len(columns["time"]),
        float(median(times)) if times else None,
        _mean(columns["diversity"]),
        _mean(columns["stones"]),
        _mean(columns["members"]),
        {name: found for name, found in against.items() if found is not None},
    )


def _numbers(figures: Figures) -> list[float]:
    return [float(figure) for figure in figures.values() if figure is not None]


def _mean(figures: Figures) -> float:
    found = _numbers(figures)
    return sum(found) / len(found)


def _paired(one: Figures, other: Figures) -> Estimate | None:
    both = sorted(one.keys() & other.keys())
    pairs = [(one[at], other[at]) for at in both]
    whole = [(mine, its) for mine, its in pairs if mine is not None and its is not None]
    if not whole:
        return None
    return paired_difference([float(a) for a, _ in whole], [float(b) for _, b in whole])


def as_data(summary: Summary) -> dict[str, object]:
    """The same in plain data, for JSON."""
    return {
        "landscape": summary.cell.landscape,
        "strategy": summary.cell.strategy,
        "admission": summary.cell.admission,
        "budget": summary.cell.budget,
        "repeats": summary.repeats,
        **summary.best,
        "lower": summary.end.lower,
        "upper": summary.end.upper,
        "area": summary.area,
        "reached": summary.reached,
        "time": summary.time,
        "diversity": summary.diversity,
        "stones": summary.stones,
        "members": summary.members,
        "against": {
            name: {"mean": found.mean, "lower": found.lower, "upper": found.upper}
            for name, found in summary.against.items()
        },
    }


def markdown(found: Sequence[Summary]) -> str:
    """A table for each landscape, rule and budget, the best strategy first."""
    groups: dict[tuple[str, str, int], list[Summary]] = {}
    for one in found:
        place = one.cell.landscape, one.cell.admission, one.cell.budget
        groups.setdefault(place, []).append(one)
    return "\n".join(_table(place, members) for place, members in groups.items())


def _table(place: tuple[str, str, int], members: Sequence[Summary]) -> str:
    ground, rule, budget = place
    points = [name for name in members[0].best if name != "at_end" and name != f"at_{budget}"]
    heads = [
        "strategy",
        *(f"after {name.removeprefix('at_')}" for name in points),
        f"after {budget}",
        *(f"− {name}" for name in BASELINES),
        *("area", "reached", "in", "diversity", "stones", "members", "repeats"),
    ]
    lines = [
        f"### {ground}, {rule}, {budget} proposals",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
    ]
    for one in sorted(members, key=lambda each: -each.end.mean):
        cells = [
            one.cell.strategy,
            *(f"{one.best[name]:.3f}" for name in points),
            f"{one.end.mean:.3f}",
            *(_signed(one.against.get(name)) for name in BASELINES),
            f"{one.area:.3f}",
            f"{one.reached:.0%}",
            "–" if one.time is None else f"{one.time:.0f}",
            f"{one.diversity:.2f}",
            f"{one.stones:.1f}",
            f"{one.members:.0f}",
            str(one.repeats),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _signed(found: Estimate | None) -> str:
    if found is None:
        return "–"
    return f"{found.mean:+.3f} [{found.lower:+.3f}, {found.upper:+.3f}]"
