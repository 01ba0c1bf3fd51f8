"""What a solution came to, as data: all who were judged on the sealed rows, and who is the best.

Only the champion, which the search has chosen, stands for the search; of the usual choices the best
on the sealed rows is taken, which is in their favour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cambrian.archive import Agent, Archive
from cambrian.evaluators.statistics import Estimate, mean_interval, paired_difference
from cambrian.solving.baselines import baselines
from cambrian.solving.judging import Figure

CHAMPION, SEED = "the champion", "the best seed agent"


@dataclass(frozen=True)
class Contender:
    """One that was judged on the sealed rows.

    Attributes:
        name: of a baseline; the id of an agent.
        title: as people call it.
        by: whose it is: "cambrian", a library's name, or "" for a naive guess.
        by_seed: what it scored under each seed, in the benchmark's own measure.
        seconds: what one seed took, on one processor, as a mean.
        reason: why a seed, or all, have no score.
    """

    name: str
    title: str
    by: str
    by_seed: Mapping[int, float]
    seconds: float | None
    reason: str = ""

    @property
    def estimate(self) -> Estimate | None:
        """Its mean with an interval over seeds; None without a score."""
        values = [self.by_seed[seed] for seed in sorted(self.by_seed)]
        return mean_interval(values) if values else None

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        found = self.estimate
        return {
            "name": self.name,
            "title": self.title,
            "by": self.by,
            "by_seed": {str(seed): value for seed, value in sorted(self.by_seed.items())},
            **interval_json(found),
            "seconds": self.seconds,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Verdict:
    """Who is better on the sealed rows.

    Attributes:
        winner: "champion", "baseline" or "level"; "nobody" where there is nothing to compare.
        difference: the champion less the best baseline, paired over seeds; None where one has no
            score.
        baseline: the best of them.
        text: all of it in a sentence.
    """

    winner: str
    difference: Estimate | None
    baseline: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {
            "winner": self.winner,
            "baseline": self.baseline,
            "difference": None if self.difference is None else interval_json(self.difference),
            "text": self.text,
        }


def interval_json(found: Estimate | None) -> dict[str, float | None]:
    """A mean and its interval; bounds are None where one seed says nothing of them."""
    if found is None:
        return {"mean": None, "lower": None, "upper": None}
    if found.seeds < 2:
        return {"mean": found.mean, "lower": None, "upper": None}
    return {"mean": found.mean, "lower": found.lower, "upper": found.upper}


def of_baselines(figures: Sequence[Figure], regression: bool) -> list[Contender]:
    """The usual choices, each with what is known of it."""
    found = []
    for name, choice in baselines(regression).items():
        own = [one for one in figures if one.name == name]
        scored = {one.seed: one.raw for one in own if one.raw is not None}
        taken = [one.seconds for one in own if one.raw is not None]
        reasons = sorted({one.reason for one in own if one.raw is None})
        found.append(
            Contender(
                name,
                choice.title,
                choice.library,
                scored,
                sum(taken) / len(taken) if taken else None,
                "; ".join(reasons) if own else "not judged yet",
            )
        )
    return found


def of_agent(archive: Archive, agent: Agent, role: str, benchmark: str, stage: str) -> Contender:
    """An agent, with what it scored on a benchmark (stage `sealed`, or those of a search)."""
    sealed = stage == "sealed"
    rows = [
        row
        for row in archive.evaluations.of(agent.id, sealed=sealed)
        if row.benchmark == benchmark and (sealed or row.stage in ("screen", "full"))
    ]
    scored = {row.seed: float(row.raw) for row in rows if row.raw is not None}
    taken = [row.cpu_s for row in rows if row.raw is not None and row.cpu_s is not None]
    failed = [f"seed {row.seed}: {row.reason}" for row in rows if row.raw is None]
    title = f"{role}, #{agent.number}"
    seconds = sum(taken) / len(taken) if taken else None
    return Contender(agent.id, title, "cambrian", scored, seconds, "; ".join(failed)[:300])


def verdict(champion: Contender | None, others: Sequence[Contender], one_row: float) -> Verdict:
    """Who is better, in words.

    Args:
        others: the usual choices.
        one_row: what one row is worth in the measure; a smaller difference is none.
    """
    scored = [one for one in others if one.estimate is not None]
    if not scored:
        return Verdict("nobody", None, "", "No usual choice was judged, so nothing is compared.")
    best = max(scored, key=lambda one: one.estimate.mean if one.estimate else -1.0)
    said = f"{best.title} is the best of the usual choices"
    if champion is None or champion.estimate is None:
        return Verdict("nobody", None, best.name, f"{said}; no agent was judged beside it.")
    seeds = sorted(set(champion.by_seed) & set(best.by_seed))
    if not seeds:
        return Verdict("nobody", None, best.name, f"{said}; it shares no seed with the champion.")
    found = paired_difference(
        [champion.by_seed[seed] for seed in seeds], [best.by_seed[seed] for seed in seeds]
    )
    text = _sentence(found, one_row, best)
    left_out = [f"{one.title} ({one.reason})" for one in others if one.estimate is None]
    if left_out:
        text += f" Without a score, and so not compared: {', '.join(left_out)}."
    return Verdict(_winner(found, one_row), found, best.name, text)


def _winner(found: Estimate, one_row: float) -> str:
    if found.seeds < 2 or abs(found.mean) < one_row:
        return "level"
    if found.lower > 0:
        return "champion"
    return "baseline" if found.upper < 0 else "level"


def _sentence(found: Estimate, one_row: float, best: Contender) -> str:
    size = f"{abs(found.mean):.3f}"
    if found.seeds > 1:
        better = found.mean > 0
        low, high = (found.lower, found.upper) if better else (-found.upper, -found.lower)
        size += f" [{low:.3f}, {high:.3f}]"
    winner = _winner(found, one_row)
    if winner == "champion":
        return f"The champion is better than the best usual choice, {best.title}, by {size}."
    if winner == "baseline":
        return f"{_upper(best.title)} is better than the champion by {size}: use that."
    less = "differ by less than a row" if abs(found.mean) < one_row else "cannot be told apart"
    return (
        f"The champion and the best usual choice, {best.title}, {less} (champion less it: "
        f"{_signed(found)}): use {best.title}, which needs no search."
    )


def _signed(found: Estimate) -> str:
    bounds = f" [{found.lower:+.3f}, {found.upper:+.3f}]" if found.seeds > 1 else ""
    return f"{found.mean:+.3f}{bounds}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
