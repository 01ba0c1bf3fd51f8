"""What a run has shown: the sealed table, the champion's path, the control beside it.

Read from the archive, for people; nothing here decides anything. Sealed means are taken over
seeds on which every stream has a score, intervals are Student's t over seeds, comparisons are
paired over the seeds that both agents have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cambrian.archive import Agent, Archive, Gate
from cambrian.evaluators.benchmarks import STAGES, sealed_names, search_names
from cambrian.evaluators.statistics import (
    Difference,
    Estimate,
    mean_interval,
    paired_difference,
    per_benchmark,
    probability_of_improvement,
)
from cambrian.evolution.admission.records import results_of
from cambrian.evolution.admission.results import Results

PAIRED_GATE = "improvement"
"""The gate of `admission` whose value is the paired difference to the parent."""


@dataclass(frozen=True)
class Streams:
    """What a sealed run uses: the search's benchmarks on sealed data, and the unseen ones."""

    search: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """Those of the search, then those that no search saw."""
        return (*self.search, *self.unseen)


@dataclass(frozen=True)
class Sealed:
    """An agent's sealed results.

    Attributes:
        results: its scored sealed evaluations.
        seeds: those on which every stream has a score.
        failures: benchmark, seed and reason of each failed run; untrusted text. An agent with
            one has no means: leaving the failed seeds out would flatter it.
        overall, search, unseen: means over all streams, and over either part.
        per_benchmark: the mean on each stream.
    """

    agent: Agent
    streams: Streams
    results: Results
    seeds: tuple[int, ...]
    failures: tuple[str, ...]
    overall: Estimate | None
    search: Estimate | None
    unseen: Estimate | None
    per_benchmark: dict[str, Estimate]

    @property
    def complete(self) -> bool:
        """Whether every sealed seed has been run, with a score on every stream."""
        return self.overall is not None and set(self.seeds) >= set(STAGES["sealed"])

    def to_json(self) -> dict[str, Any]:
        """The agent, its seeds and its sealed scores with intervals; null where none are
        complete."""
        whole, search, unseen = map(estimate_json, (self.overall, self.search, self.unseen))
        return {
            "id": self.agent.id,
            "title": self.agent.title,
            "number": self.agent.number,
            "kind": self.agent.kind,
            "seeds": list(self.seeds),
            "complete": self.complete,
            **(whole or {"mean": None, "lower": None, "upper": None}),
            "mean_search": search and search["mean"],
            "mean_unseen": unseen and unseen["mean"],
            "search": search,
            "unseen": unseen,
            "per_benchmark": {name: estimate_json(e) for name, e in self.per_benchmark.items()},
            "failures": list(self.failures),
        }


@dataclass(frozen=True)
class Comparison:
    """One agent minus another, paired over the sealed seeds that both have.

    Attributes:
        per_benchmark: the difference on each stream, its permutation test adjusted (Holm) for
            looking at all of them.
        improvement: the probability that a run of the one beats a run of the other on a stream,
            over all streams (rliable).
    """

    against: Sealed
    overall: Estimate
    search: Estimate | None
    unseen: Estimate | None
    per_benchmark: Mapping[str, Difference]
    improvement: float

    def to_json(self) -> dict[str, Any]:
        """The differences with intervals and, for each benchmark, p before and after Holm's
        correction."""
        return {
            "paired_against": self.against.agent.id,
            "difference": comparison_json(self.overall),
            "difference_search": comparison_json(self.search),
            "difference_unseen": comparison_json(self.unseen),
            "probability_of_improvement": self.improvement,
            "per_benchmark_difference": {
                name: {**(comparison_json(d.estimate) or {}), "p": d.p, "p_holm": d.adjusted}
                for name, d in self.per_benchmark.items()
            },
        }


@dataclass(frozen=True)
class SealedReport:
    """The sealed table.

    Attributes:
        agents: everyone with sealed results, the best mean first.
        champion: the champion's row; None until it has been run.
        comparison: the champion against the best seed agent by sealed mean.
    """

    streams: Streams
    agents: tuple[Sealed, ...]
    champion: Sealed | None
    comparison: Comparison | None

    def to_json(self) -> dict[str, Any]:
        """The streams, a row for each agent, and the champion against the best seed agent."""
        return {
            "streams": {"search": list(self.streams.search), "unseen": list(self.streams.unseen)},
            "agents": [row.to_json() for row in self.agents],
            "champion": _compared(self.champion, self.comparison),
        }


@dataclass(frozen=True)
class ControlReport:
    """The control's champion, and ours against it on the same sealed seeds."""

    champion: Sealed | None
    comparison: Comparison | None

    def to_json(self) -> dict[str, Any]:
        """The champion against the control's; empty where either has no complete scores."""
        return _compared(self.champion, self.comparison) or {}


@dataclass(frozen=True)
class Step:
    """One agent on the way from a seed to a descendant.

    Attributes:
        gain: the gate that holds its paired difference to its parent; None for a seed, and for one
            that another suite decided: that is compared with nothing here.
        other: its second parent, for a crossover.
    """

    agent: Agent
    gain: Gate | None
    other: Agent | None

    def to_json(self) -> dict[str, Any]:
        """The agent, what it gained, and what it was crossed with."""
        gain = self.gain
        names = ("id", "number", "kind", "title", "hypothesis", "score", "lower", "upper")
        return {
            **{name: getattr(self.agent, name) for name in names},
            "gain": gain and {"mean": gain.value, "lower": gain.lower, "upper": gain.upper},
            "crossed_with": self.other and self.other.id,
        }


def streams_of(archive: Archive) -> Streams:
    """The streams that the archive's last run used (all, where there was none yet)."""
    run = archive.runs.last()
    given = run.settings.get("benchmarks") if run is not None else None
    search = tuple(search_names(given or None))
    return Streams(search, tuple(sealed_names(search))[len(search) :])


def sealed_of(archive: Archive, agent: Agent, streams: Streams) -> Sealed:
    """An agent's sealed results; without means where there are none."""
    results = results_of(archive, agent.id, sealed=True)
    rows = archive.evaluations.of(agent.id, sealed=True)
    failures = tuple(
        f"{r.benchmark}, seed {r.seed}: {r.reason}" for r in rows if r.verdict == "failed"
    )
    seeds = tuple(results.seeds(streams.every))
    usable = () if failures else seeds
    return Sealed(
        agent=agent,
        streams=streams,
        results=results,
        seeds=seeds,
        failures=failures,
        overall=_mean(results, streams.every, usable),
        search=_mean(results, streams.search, usable),
        unseen=_mean(results, streams.unseen, usable),
        per_benchmark={
            name: mean for name in streams.every if (mean := _mean(results, [name], usable))
        },
    )


def _mean(results: Results, names: Sequence[str], seeds: Sequence[int]) -> Estimate | None:
    return mean_interval(results.per_seed(names, seeds)) if names and seeds else None


def compare(ours: Sealed, other: Sealed) -> Comparison | None:
    """Ours minus the other's; None where no seed is common, or one of them failed."""
    seeds = [seed for seed in ours.seeds if seed in other.seeds]
    if not seeds or ours.overall is None or other.overall is None:
        return None
    streams = ours.streams
    return Comparison(
        against=other,
        overall=_paired(ours, other, streams.every, seeds),
        search=_paired(ours, other, streams.search, seeds),
        unseen=_paired(ours, other, streams.unseen, seeds) if streams.unseen else None,
        per_benchmark=per_benchmark(_by_stream(ours, seeds), _by_stream(other, seeds)),
        improvement=probability_of_improvement(_table(ours, seeds), _table(other, seeds)),
    )


def _by_stream(one: Sealed, seeds: Sequence[int]) -> dict[str, list[float]]:
    names = one.streams.every
    return {name: [one.results.score(name, seed) for seed in seeds] for name in names}


def _table(one: Sealed, seeds: Sequence[int]) -> np.ndarray:
    return np.array(list(_by_stream(one, seeds).values())).T


def _paired(ours: Sealed, other: Sealed, names: Sequence[str], seeds: Sequence[int]) -> Estimate:
    return paired_difference(
        ours.results.per_seed(names, seeds), other.results.per_seed(names, seeds)
    )


def sealed_report(archive: Archive) -> SealedReport:
    """The sealed table of an archive, as far as it has been measured."""
    streams = streams_of(archive)
    agents = [archive.agents.get(agent_id) for agent_id in archive.evaluations.sealed_agents()]
    table = sorted((sealed_of(archive, agent, streams) for agent in agents), key=_rank)
    champion = archive.champion()
    ours = next((row for row in table if champion and row.agent.id == champion.id), None)
    seeds = [row for row in table if row.agent.status == "seed" and row.overall is not None]
    comparison = compare(ours, seeds[0]) if ours and seeds else None
    return SealedReport(streams, tuple(table), ours, comparison)


def _rank(row: Sealed) -> tuple[float, int]:
    mean = -math.inf if row.overall is None else row.overall.mean
    return -mean, row.agent.number or 0


def control_report(ours: SealedReport, control: Archive) -> ControlReport:
    """The control's champion by its own search, on the streams of our run."""
    champion = control.champion()
    if champion is None:
        return ControlReport(None, None)
    theirs = sealed_of(control, champion, ours.streams)
    return ControlReport(theirs, compare(ours.champion, theirs) if ours.champion else None)


def path_from_seed(archive: Archive, agent_id: str) -> list[Step]:
    """An agent's primary ancestors from its seed down to itself, with what each step gained."""
    steps = [_step(archive, archive.agents.get(agent_id))]
    while parents := steps[-1].agent.parents:
        steps.append(_step(archive, archive.agents.get(parents[0])))
    return steps[::-1]


def champions_path(archive: Archive) -> list[Step]:
    """The champion's path, the seed first; empty without a champion."""
    champion = archive.champion()
    return [] if champion is None else path_from_seed(archive, champion.id)


def _step(archive: Archive, agent: Agent) -> Step:
    gates = archive.gates(agent_id=agent.id) if archive.suites.decided_here(agent) else []
    gain = next((gate for gate in gates if gate.gate == PAIRED_GATE), None)
    other = archive.agents.get(agent.parents[1]) if len(agent.parents) > 1 else None
    return Step(agent, gain, other)


def estimate_json(estimate: Estimate | None) -> dict[str, float | None] | None:
    """Mean and interval; bounds that are not finite (one seed only) are None."""
    if estimate is None:
        return None
    return {
        "mean": estimate.mean,
        "lower": _finite(estimate.lower),
        "upper": _finite(estimate.upper),
    }


def comparison_json(estimate: Estimate | None) -> dict[str, float | None] | None:
    """A paired difference with its confidence and the number of seeds."""
    plain = estimate_json(estimate)
    if plain is None or estimate is None:
        return None
    return {**plain, "confidence": estimate.confidence, "seeds": estimate.seeds}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _compared(row: Sealed | None, comparison: Comparison | None) -> dict[str, Any] | None:
    if row is None:
        return None
    empty = {"paired_against": None, "difference": None}
    return {**row.to_json(), **(comparison.to_json() if comparison else empty)}
