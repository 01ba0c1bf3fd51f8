"""Score vectors: the champion, the seed agents and others, benchmark by benchmark of a suite.

First the benchmarks of the search; then the suite's sealed streams, if sealed data was used for one
of these agents already. Looking uses none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from scipy import stats

from cambrian.archive import Agent, Archive
from cambrian.archive.suites import KeptSuite
from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.statistics import CONFIDENCE, Estimate, mean_interval
from cambrian.evaluators.statistics.families import is_over_families
from cambrian.reports.run import comparison_json
from cambrian.reports.scores.experts import ExpertVector, expert_vectors
from cambrian.reports.scores.table import sealed, searched, unseen_of
from cambrian.suite import Entry

FEW = 3
"""So many benchmarks of a suite without a name are named one by one in a title."""

Role = Literal["champion", "seed", "named"]


@dataclass(frozen=True)
class ScoreVector:
    """One agent's scores in a suite.

    Attributes:
        role: why it is shown; a seed agent that is the champion is shown as that.
        scores: by benchmark, the mean over seeds with its interval; none where it was not run.
        failed: the sealed streams on which it failed; it has no score there, for a mean without
            the failed seeds would flatter it.
    """

    agent: Agent
    role: Role
    scores: Mapping[str, Estimate]
    failed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The agent, and its scores with intervals by benchmark."""
        names = ("id", "number", "title", "kind", "status")
        return {
            **{name: getattr(self.agent, name) for name in names},
            "role": self.role,
            "scores": {name: comparison_json(found) for name, found in self.scores.items()},
            "failed": list(self.failed),
        }


@dataclass(frozen=True)
class VectorReport:
    """Score vectors in a suite.

    Attributes:
        members: how many have a score in the suite.
        search: its benchmarks, in its order.
        sealed: the sealed streams on which one of these agents was run already.
        vectors: the champion's, those of the seed agents, and those that were asked for.
        experts: those of the expert learners, if they were asked for; best first.
    """

    suite: KeptSuite
    members: int
    search: tuple[Entry, ...]
    sealed: tuple[Entry, ...]
    vectors: tuple[ScoreVector, ...]
    experts: tuple[ExpertVector, ...] = ()

    @property
    def title(self) -> str:
        """Suite, version and number of members: scores of two suites are never compared."""
        members = "1 member" if self.members == 1 else f"{self.members} members"
        listed = ", ".join(entry.benchmark for entry in self.search)
        few = len(self.search) <= FEW
        name = self.suite.suite.name or (listed if few else f"{len(self.search)} benchmarks")
        return f"Suite {name}, version {self.suite.suite.hash[:8]}, {members}"

    def to_json(self) -> dict[str, Any]:
        """The suite, its streams, and a vector for each agent."""
        suite = self.suite.suite
        return {
            "suite": {"hash": suite.hash, "name": suite.name, "current": self.suite.current},
            "members": self.members,
            "search": [vars(entry) for entry in self.search],
            "sealed": [vars(entry) for entry in self.sealed],
            "agents": [vector.to_json() for vector in self.vectors],
            "experts": [vector.to_json() for vector in self.experts],
        }


def vectors(
    archive: Archive, kept: KeptSuite, named: Sequence[str] = (), *, experts: bool = False
) -> VectorReport:
    """The vectors of a suite: of its champion, of the seed agents that have a score in it, of the
    agents that are named (full ids), and if asked for of the expert learners.

    Raises:
        NotFound: one that is named has no score in the suite.
        UsageError: the experts were not measured on all families of the suite.
    """
    beside = expert_vectors(kept.suite) if experts else ()
    if experts and not beside:
        raise UsageError(
            f"expected a suite of families that the experts were measured on; {kept.label} has "
            "others: leave --experts out, or choose a suite with --suite"
        )
    scored = {
        agent_id: role
        for agent_id, role in _roles(archive, kept, named).items()
        if _has_score(archive, agent_id, kept)
    }
    if missing := [agent_id for agent_id in named if agent_id not in scored]:
        raise NotFound(_unscored(archive, kept, missing[0]))
    found = tuple(_vector(archive, one, role, kept) for one, role in scored.items())
    shown: tuple[ScoreVector | ExpertVector, ...] = (*found, *beside)
    seen = {name for vector in shown for name in (*vector.scores, *vector.failed)}
    return VectorReport(
        suite=kept,
        members=archive.suites.members(kept.id),
        search=kept.suite.entries,
        sealed=tuple(entry for entry in unseen_of(kept.suite) if entry.benchmark in seen),
        vectors=found,
        experts=beside,
    )


def _roles(archive: Archive, kept: KeptSuite, named: Sequence[str]) -> dict[str, Role]:
    """Whom to show, in order, each once."""
    best = archive.suites.leaderboard(kept.id, 1)
    roles: dict[str, Role] = {str(row["id"]): "champion" for row in best}
    for seed in archive.agents.seeds():
        roles.setdefault(seed.id, "seed")
    for agent_id in named:
        roles.setdefault(agent_id, "named")
    return roles


def _has_score(archive: Archive, agent_id: str, kept: KeptSuite) -> bool:
    number = archive.agents.get(agent_id).number
    scores = [] if number is None else archive.suites.of_agent(number)
    return any(one.suite.id == kept.id for one in scores)


def _unscored(archive: Archive, kept: KeptSuite, agent_id: str) -> str:
    agent = archive.agents.get(agent_id)
    name = f"#{agent.number}" if agent.number else agent_id[:10]
    how = f"`cambrian bench rescore {agent_id[:10]}` gives it one"
    known = (
        how if kept.current else f"`cambrian suite show {kept.suite.hash[:8]}` lists those that do"
    )
    return f"agent {name} has no score in the suite {kept.label}; {known}"


def _vector(archive: Archive, agent_id: str, role: Role, kept: KeptSuite) -> ScoreVector:
    unseen = unseen_of(kept.suite)
    search, hidden = searched(archive, agent_id, kept.suite), sealed(archive, agent_id, unseen)
    scores: dict[str, Estimate] = {}
    for found in (search, hidden):
        rows = {n: list(row.values()) for n, row in found.table.items() if n not in found.failed}
        scores |= _estimates({name: values for name, values in rows.items() if values})
    return ScoreVector(archive.agents.get(agent_id), role, scores, hidden.failed)


def _estimates(rows: Mapping[str, Sequence[float]]) -> dict[str, Estimate]:
    """Means over seeds, each with the interval of its own seeds; where seeds are few and benchmarks
    many, their variance is pooled over the benchmarks."""
    if not is_over_families(len(rows), min(map(len, rows.values()), default=0)):
        return {name: mean_interval(values) for name, values in rows.items()}
    freedom = sum(len(values) - 1 for values in rows.values())
    squares = sum((value - fmean(values)) ** 2 for values in rows.values() for value in values)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * (squares / freedom) ** 0.5
    found = {}
    for name, values in rows.items():
        mean, half = fmean(values), reach / len(values) ** 0.5
        found[name] = Estimate(mean, mean - half, mean + half, len(values))
    return found
