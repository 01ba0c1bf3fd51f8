"""Search minus sealed: is a benchmark of a suite being exploited?

Of each member with complete sealed results, how far it falls from the search's streams to sealed
ones; of the champion, whether it falls further than the seed agents do, on the same streams. What
that does and does not show: docs/statistics.md, "Search minus sealed". Read for people: no sealed
score goes from here to an improver or to selection, for the loop imports no report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cambrian.archive import Agent, Archive
from cambrian.archive.suites import KeptSuite
from cambrian.evaluators.stages import STAGES
from cambrian.evaluators.statistics import Estimate, Excess, excess, independent_difference
from cambrian.reports.run import comparison_json
from cambrian.reports.scores.table import Scores, scores_of, unseen_of

Part = Literal["same", "unseen"]
PARTS: tuple[Part, ...] = ("same", "unseen")
NAMES: dict[Part, str] = {
    "same": "the same benchmarks on sealed data",
    "unseen": "streams that no search saw",
}
SEEDS = (*STAGES["screen"], *STAGES["full"])


@dataclass(frozen=True)
class Sides:
    """An agent's weighted means by seed: in the search, and on either part of the sealed data.
    Empty where a seed of the stage has no score."""

    search: tuple[float, ...]
    sealed: Mapping[Part, tuple[float, ...]]


@dataclass(frozen=True)
class Gap:
    """How far one member falls.

    Attributes:
        gaps: by part, search minus sealed; only the parts that were run completely.
        failures: benchmark, seed and reason of each failed sealed run; untrusted text. An agent
            with one has no gaps: leaving the failed seeds out would flatter it.
    """

    agent: Agent
    sides: Sides
    gaps: Mapping[Part, Estimate]
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The agent and its gaps with intervals; null for a part that was not run."""
        names = ("id", "number", "title", "kind", "status")
        return {
            **{name: getattr(self.agent, name) for name in names},
            **{part: comparison_json(self.gaps.get(part)) for part in PARTS},
            "failures": list(self.failures),
        }


@dataclass(frozen=True)
class GapReport:
    """The gaps of a suite.

    Attributes:
        members: those with sealed results and a score in the suite, by number.
        means: by part, the mean gap of those that have one.
        champion: None without one, or where it was not sealed.
        seed_agents: how many the champion is held against, by part.
        excess: by part, by how much its gap is above that of the seed agents.
    """

    suite: KeptSuite
    members: tuple[Gap, ...]
    means: Mapping[Part, Estimate]
    champion: Gap | None
    seed_agents: Mapping[Part, int]
    excess: Mapping[Part, Excess]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said aloud, each a sentence; the alarms first."""
        if self.champion is not None and self.champion.failures:
            return (_failed(self.champion),)
        found = [_warning(self, part) for part in PARTS]
        return tuple(sorted(text for text in found if text))

    def to_json(self) -> dict[str, Any]:
        """The members with their gaps, their mean, and the champion beside the seed agents."""
        return {
            "suite": self.suite.suite.hash,
            "members": [member.to_json() for member in self.members],
            "mean": {part: comparison_json(self.means.get(part)) for part in PARTS},
            "champion": self.champion and self.champion.agent.id,
            "excess": {part: self._excess_json(part) for part in PARTS},
            "warnings": list(self.warnings),
        }

    def _excess_json(self, part: Part) -> dict[str, Any] | None:
        found = self.excess.get(part)
        if found is None:
            return None
        return {
            **(comparison_json(found.estimate) or {}),
            "state": found.state,
            "candidates": found.candidates,
            "seed_agents": self.seed_agents[part],
            "corrected": comparison_json(found.corrected),
        }


def gap_report(archive: Archive, kept: KeptSuite | None = None) -> GapReport | None:
    """The gaps of a suite, the current one where none is named, as far as sealed data was used
    already; None without a suite, or without such results."""
    kept = kept or archive.suites.current()
    if kept is None:
        return None
    members = []
    for agent_id in archive.evaluations.sealed_agents():
        agent = archive.agents.get(agent_id)
        if agent.status in ("seed", "admitted") and (one := _gap(archive, agent, kept)):
            members.append(one)
    if not members:
        return None
    best = archive.suites.leaderboard(kept.id, 1)
    champion = next((one for one in members if best and one.agent.id == best[0]["id"]), None)
    seeds = [one for one in members if one.agent.status == "seed" and one is not champion]
    held = {part: [one for one in seeds if part in one.gaps] for part in PARTS}
    candidates = archive.suites.candidates(kept.id)
    return GapReport(
        suite=kept,
        members=tuple(members),
        means={part: _mean(some, part) for part in PARTS if (some := _of(members, part))},
        champion=champion,
        seed_agents={part: len(some) for part, some in held.items()},
        excess={
            part: _excess(champion, held[part], part, candidates)
            for part in PARTS
            if champion is not None and part in champion.gaps and held[part]
        },
    )


def _gap(archive: Archive, agent: Agent, kept: KeptSuite) -> Gap | None:
    """None of an agent that was not judged by the suite in full, or not sealed on any of it."""
    suite, unseen = kept.suite, unseen_of(kept.suite)
    search = _means(scores_of(archive, agent.id, suite.entries), suite.weights, SEEDS)
    same = scores_of(archive, agent.id, suite.entries, sealed=True)
    other = scores_of(archive, agent.id, unseen, sealed=True)
    failures = (*same.failures, *other.failures)
    weights: dict[Part, tuple[Scores, Mapping[str, float]]] = {
        "same": (same, suite.weights),
        "unseen": (other, {entry.benchmark: 1.0 for entry in unseen}),
    }
    sealed = {part: _means(*given, STAGES["sealed"]) for part, given in weights.items()}
    if not search or not (failures or any(sealed.values())):
        return None
    usable = {} if failures else {part: means for part, means in sealed.items() if means}
    gaps = {part: independent_difference(search, means) for part, means in usable.items()}
    return Gap(agent, Sides(search, sealed), gaps, failures)


def _means(scores: Scores, weights: Mapping[str, float], seeds: Sequence[int]) -> tuple[float, ...]:
    """By seed; nothing unless every seed is there."""
    if not weights or not set(seeds) <= set(scores.seeds(weights)):
        return ()
    return tuple(scores.means(weights, seeds))


def _of(members: Sequence[Gap], part: Part) -> list[Gap]:
    return [one for one in members if part in one.gaps]


def _mean(members: Sequence[Gap], part: Part) -> Estimate:
    """The mean gap of some members: under each seed over them, then over seeds."""
    search = np.mean([one.sides.search for one in members], axis=0)
    sealed = np.mean([one.sides.sealed[part] for one in members], axis=0)
    return independent_difference(search.tolist(), sealed.tolist())


def _excess(champion: Gap, seeds: Sequence[Gap], part: Part, candidates: int) -> Excess:
    return excess(
        champion.sides.search,
        champion.sides.sealed[part],
        [one.sides.search for one in seeds],
        [one.sides.sealed[part] for one in seeds],
        candidates,
    )


def _warning(report: GapReport, part: Part) -> str:
    """What the champion's gap to a part of the sealed data calls for; "" for nothing."""
    found = report.excess.get(part)
    if found is None or found.state == "none":
        return ""
    most = found.corrected if found.state == "alarm" else found.estimate
    against = f"on {NAMES[part]} the champion, #{_number(report)}, loses {most.mean:.3f} more"
    than = f"than the mean of {report.seed_agents[part]} seed agents"
    if found.state == "alarm":
        why = (
            f"at least {most.lower:.3f} even as the best of {found.candidates}: what it gained in "
            "the search does not hold there, as when a benchmark is exploited"
        )
        return f"ALARM: {against} {than}; {why}"
    why = (
        f"at least {most.lower:.3f} at 95 %, which being the best of {found.candidates} may explain"
    )
    return f"watch: {against} {than}; {why}"


def _number(report: GapReport) -> int | None:
    return report.champion.agent.number if report.champion else None


def _failed(champion: Gap) -> str:
    return (
        f"ALARM: the champion, #{champion.agent.number}, failed on sealed data "
        f"({len(champion.failures)} runs), and it did not in the search"
    )
