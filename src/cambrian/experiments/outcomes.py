"""What came of a finished search: its champions over its course, and how they do afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Self

from cambrian.archive import Agent, Archive
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.statistics import Estimate, mean_interval
from cambrian.evaluators.statistics.suite import FAILED
from cambrian.evaluators.suites import sealed_part
from cambrian.suite import Suite

FRESH = "race"
"""The stage whose seeds no search with a fixed number of seeds runs: those of a champion judged
anew."""
DIGITS = 5


@dataclass(frozen=True)
class Figure:
    """A mean score with an interval over seeds.

    Attributes:
        seeds: the mean over benchmarks, one a seed. benchmarks: the mean over seeds of each; one
            that was failed on counts `FAILED` for each seed without a score.
        failed: the benchmarks that were failed on.
    """

    mean: float
    lower: float
    upper: float
    seeds: tuple[float, ...]
    benchmarks: Mapping[str, float]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reign:
    """A champion, and what had been spent when it was admitted.

    Attributes:
        judged: variants judged by then. evaluations, cpu_s: spent on variants by then, whether
            they were judged or not; seed agents and twins are not counted.
        search: its score in the search, mean and lower bound.
        sealed: its mean on sealed data.
    """

    id: str
    number: int
    title: str
    kind: str
    judged: int
    evaluations: int
    cpu_s: float
    search: float
    lower: float
    sealed: float


@dataclass(frozen=True)
class Outcome:
    """A search that has ended.

    Attributes:
        reigns: its champions in the order of proposals; the first is the best seed agent.
        sealed: the last champion on sealed data: the suite's families on data of their own, and
            the families that no search draws. unseen: on these latter alone.
        fresh: the same on the suite's families, with seeds that its search did not use.
        seeds: the mean on sealed data of each seed agent.
        diversity: the mean share of files in which two members differ (Jaccard distance).
        stones: stepping stones among the ancestors of the champion.
        lines: ancestors of the champion that are no seed agents.
    """

    proposals: int
    judged: int
    evaluations: int
    cpu_s: float
    members: int
    diversity: float
    stones: int
    lines: int
    reigns: tuple[Reign, ...]
    sealed: Figure
    unseen: Figure
    fresh: Figure
    seeds: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is no such thing.
        """
        given = dict(told)
        for name in ("sealed", "unseen", "fresh"):
            part = given[name]
            given[name] = Figure(
                **{**part, "seeds": tuple(part["seeds"]), "failed": tuple(part["failed"])}
            )
        given["reigns"] = tuple(Reign(**one) for one in given["reigns"])
        return cls(**given)


@dataclass(frozen=True)
class Spent:
    """What the proposals up to one have used."""

    judged: int
    evaluations: int
    cpu_s: float


def outcome(archive: Archive, seeds: Archive, suite: Suite) -> Outcome:
    """What came of the last run of an archive whose champions were judged anew.

    Args:
        seeds: the archive in which the seed agents were run on sealed data.
    """
    spent = costs(archive)
    champions = reigning(archive)
    names = sealed_streams(suite)
    last = champions[-1][1]
    sealed = {
        agent.id: figure(seeds if agent.status == "seed" else archive, agent.id, names, True)
        for _, agent in champions
    }
    reigns = tuple(
        Reign(
            agent.id,
            agent.number or 0,
            agent.title,
            str(agent.kind),
            spent[index].judged,
            spent[index].evaluations,
            round(spent[index].cpu_s, 2),
            round(agent.score or 0.0, DIGITS),
            round(agent.lower or 0.0, DIGITS),
            sealed[agent.id].mean,
        )
        for index, agent in champions
    )
    above = [archive.agents.get(one) for one in archive.agents.ancestors(last.id)]
    home = seeds if last.status == "seed" else archive
    members = archive.agents.select()
    end = spent[max(spent)]
    return Outcome(
        archive.counts()["proposals"],
        end.judged,
        end.evaluations,
        round(end.cpu_s, 2),
        len(members),
        round(diversity([archive.agents.files(one.id) for one in members]), DIGITS),
        sum(one.kind == "stepping_stone" for one in above),
        sum(one.status != "seed" for one in above),
        reigns,
        sealed[last.id],
        figure(home, last.id, sealed_part(suite.name) if suite.name else (), True),
        figure(archive, last.id, suite.benchmarks, False, suite.weights),
        {one.title: figure(seeds, one.id, names, True).mean for one in seeds.agents.seeds()},
    )


def sealed_streams(suite: Suite) -> tuple[str, ...]:
    """What a sealed score is a mean of: a suite's families on sealed data, and the families of it
    that no search draws."""
    return (*suite.benchmarks, *(sealed_part(suite.name) if suite.name else ()))


def reigning(archive: Archive) -> list[tuple[int, Agent]]:
    """The champions one after the other, each with the index of the proposal that it came of (−1:
    a seed agent)."""
    found: list[tuple[int, Agent]] = []
    for index in range(-1, archive.counts()["proposals"]):
        champion = archive.agents.champion(index)
        if champion is not None and (not found or champion.id != found[-1][1].id):
            found.append((index, champion))
    return found


def costs(archive: Archive) -> dict[int, Spent]:
    """What all proposals up to each one used, by its index; −1: nothing."""
    states = {one.idx: one.state for one in archive.proposals.select()}
    used: dict[int, tuple[int, float]] = {}
    for agent in archive.agents.select(everyone=True):
        if agent.proposal_index is None:
            continue
        rows = [one for one in archive.evaluations.of(agent.id) if one.stage != FRESH]
        used[agent.proposal_index] = len(rows), sum(one.cpu_s or 0.0 for one in rows)
    found = {-1: Spent(0, 0, 0.0)}
    for index in sorted(states):
        before = found[index - 1]
        evaluations, cpu_s = used.get(index, (0, 0.0))
        found[index] = Spent(
            before.judged + (states[index] in ("admitted", "rejected")),
            before.evaluations + evaluations,
            before.cpu_s + cpu_s,
        )
    return found


def figure(
    archive: Archive,
    agent_id: str,
    benchmarks: Sequence[str],
    sealed: bool,
    weights: Mapping[str, float] | None = None,
) -> Figure:
    """An agent's mean on sealed data, or with fresh seeds; one value of no width where there are
    no benchmarks."""
    scores: dict[str, dict[int, float]] = {name: {} for name in benchmarks}
    failed: set[str] = set()
    for row in archive.evaluations.of(agent_id, None if sealed else FRESH, sealed=sealed):
        if row.benchmark not in scores or row.version != benchmark(row.benchmark).version:
            continue
        if row.score is None:
            failed.add(row.benchmark)
        else:
            scores[row.benchmark][row.seed] = row.score
    seeds = sorted({seed for table in scores.values() for seed in table}) or [0]
    shares = weights or dict.fromkeys(benchmarks, 1.0)
    total = sum(shares[name] for name in benchmarks) or 1.0
    means = [
        sum(shares[name] * scores[name].get(seed, FAILED) for name in benchmarks) / total
        for seed in seeds
    ]
    found: Estimate = mean_interval(means)
    return Figure(
        round(found.mean, DIGITS),
        round(found.lower, DIGITS),
        round(found.upper, DIGITS),
        tuple(round(one, DIGITS) for one in means),
        {n: round(fmean(scores[n].get(s, FAILED) for s in seeds), DIGITS) for n in benchmarks},
        tuple(sorted(failed)),
    )


def diversity(members: Sequence[Mapping[str, str]]) -> float:
    """The mean, over pairs of source trees, of the share of their files in which they differ: one
    minus the files that are the same in both, over all files of the two; 0 for one member."""
    sets = [frozenset(files.items()) for files in members]
    apart = [
        1 - len(one & other) / len(one | other)
        for at, one in enumerate(sets)
        for other in sets[at + 1 :]
    ]
    return fmean(apart) if apart else 0.0
