"""What real searches came to, over repeats: means, and differences paired by repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import fmean, median
from typing import Any, Literal

from cambrian.evaluators.statistics import Estimate, mean_interval, paired_difference
from cambrian.experiments.ablation import Result
from cambrian.experiments.outcomes import Outcome, Reign

Axis = Literal["judged", "evaluations", "cpu_s"]
AXES: tuple[Axis, ...] = ("judged", "evaluations", "cpu_s")
NAMES: Mapping[Axis, str] = {
    "judged": "judged variants",
    "evaluations": "evaluations",
    "cpu_s": "CPU seconds",
}
FIGURES: Mapping[str, str] = {
    "sealed": "champion, sealed",
    "unseen": "on sealed families",
    "fresh": "with fresh seeds",
    "area": "area over judged",
    "at_evaluations": "sealed at equal evaluations",
    "at_cpu_s": "sealed at equal CPU",
}
"""What strategies are compared by."""


@dataclass(frozen=True)
class Row:
    """One search in figures; see `Summary`."""

    strategy: str
    admission: str
    repeat: int
    outcome: Outcome
    figures: Mapping[str, float]
    time: int | None


@dataclass(frozen=True)
class Summary:
    """A strategy under a rule of admission, over its repeats.

    Attributes:
        figures: the mean of each of `FIGURES` with an interval over repeats. area: the mean of the
            champion's sealed score over the judged variants. at_evaluations, at_cpu_s: that score
            at the end of whichever search of the same repeat and rule ended first on this axis.
        areas: the mean of the sealed score over the evaluations and over the CPU seconds.
        reached: the share of repeats whose champion's sealed score came above the threshold;
            `time` the median of the variants judged by then, None where none did.
    """

    strategy: str
    admission: str
    repeats: int
    figures: Mapping[str, Estimate]
    areas: Mapping[str, float]
    reached: float
    time: float | None
    diversity: float
    stones: float
    members: float
    judged: float
    evaluations: float
    cpu_s: float


@dataclass(frozen=True)
class Contrast:
    """One strategy minus another, over the repeats that both have; `apart` by figure."""

    one: str
    other: str
    admission: str
    repeats: int
    apart: Mapping[str, Estimate]


@dataclass(frozen=True)
class Report:
    """All that is shown of an ablation.

    Attributes:
        threshold: the sealed score to come above. unfinished: searches that are not over, with the
            variants judged so far; nothing else here counts them.
    """

    suite: str
    threshold: float
    seeds: Mapping[str, float]
    codes: tuple[str, ...]
    summaries: tuple[Summary, ...]
    contrasts: tuple[Contrast, ...]
    rows: tuple[Row, ...]
    unfinished: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, each search with its champions and the curve that they make."""
        return {
            "kind": "ablation",
            **{n: getattr(self, n) for n in ("suite", "threshold", "seeds", "codes")},
            "results": [asdict(one) for one in self.summaries],
            "contrasts": [asdict(one) for one in self.contrasts],
            "searches": [asdict(one) for one in self.rows],
            "unfinished": [{"search": name, "judged": judged} for name, judged in self.unfinished],
        }


def report(
    results: Sequence[Result],
    unfinished: Iterable[tuple[str, int]] = (),
    threshold: float | None = None,
) -> Report:
    """What results come to.

    Args:
        threshold: of the sealed score, for the time to it; None: that of the best seed agent.
    """
    seeds = dict(results[0].outcome.seeds) if results else {}
    goal = max(seeds.values(), default=0.0) if threshold is None else threshold
    places: dict[tuple[str, int], list[Result]] = {}
    for one in results:
        places.setdefault((one.cell.admission, one.cell.repeat), []).append(one)
    rows = [row for members in places.values() for row in _rows(members, goal)]
    kinds = dict.fromkeys((row.admission, row.strategy) for row in rows)
    table = {
        kind: {r.repeat: r for r in rows if (r.admission, r.strategy) == kind} for kind in kinds
    }
    contrasts = [
        _contrast(a, b, rule, table[rule, a], table[rule, b])
        for rule in dict.fromkeys(rule for rule, _ in kinds)
        for a, b in combinations([name for its, name in kinds if its == rule], 2)
    ]
    return Report(
        results[0].suite["name"] if results else "",
        goal,
        seeds,
        tuple(sorted({one.code for one in results})),
        tuple(_summary(rule, name, list(table[rule, name].values())) for rule, name in kinds),
        tuple(one for one in contrasts if one.repeats),
        tuple(rows),
        tuple(unfinished),
    )


def value_at(reigns: Sequence[Reign], axis: Axis, x: float) -> float:
    """The sealed score of the champion when so much had been spent."""
    return [one.sealed for one in reigns if getattr(one, axis) <= x or one is reigns[0]][-1]


def area(reigns: Sequence[Reign], axis: Axis, end: float) -> float:
    """The mean of the champion's sealed score from nothing spent to `end`."""
    if end <= 0:
        return reigns[-1].sealed
    steps = [min(float(getattr(one, axis)), end) for one in reigns] + [end]
    steps[0] = 0.0
    wide = [(b - a) * one.sealed for a, b, one in zip(steps, steps[1:], reigns, strict=False)]
    return sum(wide) / end


def _rows(members: Sequence[Result], goal: float) -> list[Row]:
    """The searches of one repeat under one rule."""
    ends = {axis: min(getattr(one.outcome, axis) for one in members) for axis in AXES}
    found = []
    for one in members:
        came = one.outcome
        figures = {
            "sealed": came.sealed.mean,
            "unseen": came.unseen.mean,
            "fresh": came.fresh.mean,
            "area": area(came.reigns, "judged", came.judged),
            "at_evaluations": value_at(came.reigns, "evaluations", ends["evaluations"]),
            "at_cpu_s": value_at(came.reigns, "cpu_s", ends["cpu_s"]),
        }
        time = next((reign.judged for reign in came.reigns if reign.sealed > goal), None)
        cell = one.cell
        found.append(Row(cell.strategy, cell.admission, cell.repeat, came, figures, time))
    return found


def _summary(rule: str, strategy: str, rows: Sequence[Row]) -> Summary:
    times = [row.time for row in rows if row.time is not None]

    def mean(of: Callable[[Outcome], float]) -> float:
        return fmean(of(row.outcome) for row in rows)

    return Summary(
        strategy,
        rule,
        len(rows),
        {name: mean_interval([row.figures[name] for row in rows]) for name in FIGURES},
        {
            "evaluations": mean(lambda o: area(o.reigns, "evaluations", o.evaluations)),
            "cpu_s": mean(lambda o: area(o.reigns, "cpu_s", o.cpu_s)),
        },
        len(times) / len(rows),
        float(median(times)) if times else None,
        mean(lambda o: o.diversity),
        mean(lambda o: o.stones),
        mean(lambda o: o.members),
        mean(lambda o: o.judged),
        mean(lambda o: o.evaluations),
        mean(lambda o: o.cpu_s),
    )


def _contrast(
    one: str, other: str, rule: str, mine: Mapping[int, Row], its: Mapping[int, Row]
) -> Contrast:
    both = sorted(mine.keys() & its.keys())
    apart = {}
    for name in FIGURES if both else ():
        pairs = [(mine[at].figures[name], its[at].figures[name]) for at in both]
        apart[name] = paired_difference([a for a, _ in pairs], [b for _, b in pairs])
    return Contrast(one, other, rule, len(both), apart)


def markdown(found: Report) -> str:
    """Tables, with what the figures are below them."""
    lines = [f"### Real searches on the suite {found.suite}" if found.suite else "### No search"]
    for rule in dict.fromkeys(one.admission for one in found.summaries):
        lines += ["", f"#### {rule}", "", *_means(found, rule), ""]
        lines += _differences(found, rule)
    if found.unfinished:
        told = ", ".join(f"{name} ({judged} judged)" for name, judged in found.unfinished)
        lines += ["", f"Unfinished, and not counted: {told}."]
    if found.summaries:
        seeds = ", ".join(f"{name} {score:.3f}" for name, score in found.seeds.items())
        lines += ["", f"Seed agents on the same sealed data: {seeds}.", "", _MEANING]
        lines += [f"Above: a sealed score above {found.threshold:.3f}."]
    return "\n".join([*lines, ""])


_MEANING = (
    "Scores are means of the last champions, with 95 % intervals over repeats. Sealed: the suite's "
    "families on data of their own and the sealed families, five seeds each; fresh: the suite's "
    "families with nine seeds that the search did not use. Area: the mean sealed score of the "
    "champion over what was spent. Equal: where the first search of a repeat ended. Costs are of "
    "variants alone. A family that a champion fails on counts -1. Differences are paired by "
    "repeat; their intervals are not corrected for their number."
)


def _means(found: Report, rule: str) -> list[str]:
    heads = [
        "strategy",
        *(FIGURES[name] for name in ("sealed", "unseen", "fresh", "area")),
        *("area over evaluations", "area over CPU", "above", "after judged", "diversity"),
        *("stones used", "members", "judged", "evaluations", "CPU s", "repeats"),
    ]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    rows = [one for one in found.summaries if one.admission == rule]
    for one in sorted(rows, key=lambda each: -each.figures["sealed"].mean):
        cells = [
            one.strategy,
            *(_told(one.figures[name]) for name in ("sealed", "unseen", "fresh")),
            f"{one.figures['area'].mean:.3f}",
            f"{one.areas['evaluations']:.3f}",
            f"{one.areas['cpu_s']:.3f}",
            f"{one.reached:.0%}",
            "–" if one.time is None else f"{one.time:g}",
            f"{one.diversity:.2f}",
            f"{one.stones:.1f}",
            *(f"{v:.0f}" for v in (one.members, one.judged, one.evaluations, one.cpu_s)),
            str(one.repeats),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _differences(found: Report, rule: str) -> list[str]:
    rows = [one for one in found.contrasts if one.admission == rule]
    if not rows:
        return []
    heads = ["difference", *FIGURES.values(), "repeats"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for one in rows:
        cells = [_told(one.apart[name], "+") for name in FIGURES]
        lines.append(f"| {one.one} − {one.other} | {' | '.join(cells)} | {one.repeats} |")
    return lines


def _told(found: Estimate, sign: str = "") -> str:
    """With its interval, where it has one."""
    if found.seeds < 2:
        return f"{found.mean:{sign}.3f}"
    return f"{found.mean:{sign}.3f} [{found.lower:{sign}.3f}, {found.upper:{sign}.3f}]"
