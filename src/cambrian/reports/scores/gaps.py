"""Search minus sealed: is a benchmark of a suite being exploited?

Of each member with complete sealed results, how far it falls from the search's streams to sealed
ones; of the champion, whether it falls further than the seed agents do, on the same streams. On the
suite's own benchmarks what varies is the seed, or where seeds are few and benchmarks many, the
benchmark; streams that no search saw are other benchmarks, on which an agent may be better or worse
for no other reason, so that there it is the stream. What that does and does not show:
docs/statistics.md, "Search minus sealed". Read for people: no sealed score goes from here to an
improver or to selection, for the loop imports no report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

import numpy as np

from cambrian.archive import Agent, Archive
from cambrian.archive.suites import KeptSuite
from cambrian.evaluators.statistics import Estimate
from cambrian.evaluators.statistics.families import is_over_families
from cambrian.evaluators.statistics.gaps import Excess, excess, fall
from cambrian.reports.run import estimate_json
from cambrian.reports.scores.table import SEALED, Scores, sealed, searched, seeds_of, unseen_of
from cambrian.suite import Entry, Suite

Part = Literal["same", "unseen"]
PARTS: tuple[Part, ...] = ("same", "unseen")
NAMES: dict[Part, str] = {
    "same": "the same benchmarks on sealed data",
    "unseen": "streams that no search saw",
}
MEANING: dict[Part, str] = {
    "same": "what it gained in the search does not hold there, as when a benchmark is exploited",
    "unseen": "the search's streams do not stand for these, or are exploited",
}
Unit = Literal["seeds", "benchmarks", "streams"]


@dataclass(frozen=True)
class Sides:
    """An agent's scores in the search and on a part of the sealed data, by unit.

    Attributes:
        unit: over what an interval is: for each of the seeds the weighted mean over benchmarks, or
            for each benchmark (stream, where the two sides have others) the mean over seeds.
        shares: what each benchmark counts for, where they are the same on both sides.
    """

    unit: Unit
    search: tuple[float, ...]
    sealed: tuple[float, ...]
    shares: tuple[float, ...] = ()

    @property
    def gap(self) -> Estimate:
        """Search minus sealed."""
        return fall(self.search, self.sealed, self.shares)


@dataclass(frozen=True)
class Gap:
    """How far one member falls.

    Attributes:
        sides: by part, what is compared; only the parts that were run completely.
        failures: benchmark, seed and reason of each failed sealed run; untrusted text. An agent
            with one has no gaps: leaving the failed seeds out would flatter it.
    """

    agent: Agent
    sides: Mapping[Part, Sides]
    failures: tuple[str, ...]

    @property
    def gaps(self) -> dict[Part, Estimate]:
        """By part, search minus sealed."""
        return {part: sides.gap for part, sides in self.sides.items()}

    def to_json(self) -> dict[str, Any]:
        """The agent and its gaps with intervals; null for a part that was not run."""
        names = ("id", "number", "title", "kind", "status")
        return {
            **{name: getattr(self.agent, name) for name in names},
            **{part: _json(self.gaps.get(part), self.sides.get(part)) for part in PARTS},
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
            "mean": {part: _json(self.means.get(part), self._side(part)) for part in PARTS},
            "champion": self.champion and self.champion.agent.id,
            "excess": {part: self._excess_json(part) for part in PARTS},
            "warnings": list(self.warnings),
        }

    def _excess_json(self, part: Part) -> dict[str, Any] | None:
        found = self.excess.get(part)
        if found is None:
            return None
        side = self._side(part)
        return {
            **(_json(found.estimate, side) or {}),
            "state": found.state,
            "candidates": found.candidates,
            "seed_agents": self.seed_agents[part],
            "corrected": _json(found.corrected, side),
        }

    def _side(self, part: Part) -> Sides | None:
        """Any member's: the units are the same for all."""
        return next((one.sides[part] for one in self.members if part in one.sides), None)


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
    held = {part: _of(seeds, part) for part in PARTS}
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
            if champion is not None and part in champion.sides and held[part]
        },
    )


def _gap(archive: Archive, agent: Agent, kept: KeptSuite) -> Gap | None:
    """None of an agent that was not judged by the suite in full, or not sealed on any of it."""
    suite, unseen = kept.suite, unseen_of(kept.suite)
    search = searched(archive, agent.id, suite)
    same, other = (sealed(archive, agent.id, part) for part in (suite.entries, unseen))
    if not _complete(search, suite.entries, seeds_of(suite)):
        return None
    failures = (*same.failures, *other.failures)
    sides: dict[Part, Sides] = {}
    if _complete(same, suite.entries, SEALED):
        sides["same"] = _same(suite, search, same)
    if _complete(other, unseen, SEALED):
        sides["unseen"] = Sides("streams", _streams(search), _streams(other))
    if not (sides or failures):
        return None
    return Gap(agent, {} if failures else sides, failures)


def _same(suite: Suite, search: Scores, same: Scores) -> Sides:
    """The suite's own benchmarks, in the search and on sealed data."""
    if is_over_families(len(suite.entries), suite.seeds):
        shares = tuple(suite.weights[name] for name in search.table)
        return Sides("benchmarks", _streams(search), _streams(same), shares)
    before = search.means(suite.weights, seeds_of(suite))
    return Sides("seeds", tuple(before), tuple(same.means(suite.weights, SEALED)))


def _complete(scores: Scores, entries: Sequence[Entry], seeds: Sequence[int]) -> bool:
    """Whether there is a score on each benchmark for every seed."""
    names = [entry.benchmark for entry in entries]
    return bool(names) and set(seeds) <= set(scores.seeds(names))


def _streams(scores: Scores) -> tuple[float, ...]:
    """For each benchmark the mean over seeds."""
    return tuple(fmean(row.values()) for row in scores.table.values())


def _of(members: Sequence[Gap], part: Part) -> list[Gap]:
    return [one for one in members if part in one.sides]


def _mean(members: Sequence[Gap], part: Part) -> Estimate:
    """The mean gap of some members: over them for each unit, then over units."""
    sides = [one.sides[part] for one in members]
    before, after = (
        np.mean(rows, axis=0).tolist()
        for rows in ([one.search for one in sides], [one.sealed for one in sides])
    )
    return fall(before, after, sides[0].shares)


def _excess(champion: Gap, seeds: Sequence[Gap], part: Part, candidates: int) -> Excess:
    ours, theirs = champion.sides[part], [one.sides[part] for one in seeds]
    return excess(
        ours.search,
        ours.sealed,
        [one.search for one in theirs],
        [one.sealed for one in theirs],
        candidates,
        ours.shares,
    )


def _json(found: Estimate | None, sides: Sides | None) -> dict[str, Any] | None:
    """With its confidence, and over how many of which units (the fewer of the two sides)."""
    told = estimate_json(found)
    if told is None or found is None or sides is None:
        return None
    units = min(len(sides.search), len(sides.sealed))
    return {**told, "confidence": found.confidence, "over": sides.unit, "units": units}


def _warning(report: GapReport, part: Part) -> str:
    """What the champion's gap to a part of the sealed data calls for; "" for nothing."""
    found = report.excess.get(part)
    if found is None or found.state == "none":
        return ""
    most = found.corrected if found.state == "alarm" else found.estimate
    against = f"on {NAMES[part]} the champion, #{_number(report)}, loses {most.mean:.3f} more"
    than = f"than the mean of {report.seed_agents[part]} seed agents"
    if found.state == "alarm":
        why = f"at least {most.lower:.3f} even as the best of {found.candidates}: {MEANING[part]}"
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
