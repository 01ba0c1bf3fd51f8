"""What is known of agents: the list of them, and everything about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.reports.times import when

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive, Evaluation, Proposal
    from cambrian.archive.tables.agents import Order


@dataclass(frozen=True)
class Listing:
    """Agents in the order that was asked for.

    Attributes:
        more: whether there are others beyond the limit.
    """

    agents: tuple[Agent, ...]
    more: bool

    def to_json(self, archive: Archive) -> list[dict[str, Any]]:
        """Each agent (`agent_json`), with the reason for its admission or rejection."""
        reasons = _reasons(archive, self.agents)
        return [agent_json(agent, reasons.get(agent.proposal_id)) for agent in self.agents]


def list_agents(
    archive: Archive, *, everyone: bool = False, limit: int = 50, order: Order = "number"
) -> Listing:
    """The first `limit` members (0: all of them), or `everyone`: rejected and undecided ones too.

    Raises:
        UsageError: an unknown order.
    """
    # One more than asked for tells whether there are more.
    found = archive.agents.select(
        everyone=everyone, limit=limit + 1 if limit else None, order=order
    )
    shown = found[:limit] if limit else found
    return Listing(tuple(shown), len(found) > len(shown))


def _reasons(archive: Archive, agents: Sequence[Agent]) -> dict[int | None, str | None]:
    """Why each was admitted or rejected, by proposal: in one query where there are many."""
    if len(agents) > 100:
        return {p.id: p.reason for p in archive.proposals.select()}
    wanted = [agent.proposal_id for agent in agents if agent.proposal_id is not None]
    return {number: archive.proposals.get(number).reason for number in wanted}


def agent_json(agent: Agent, reason: str | None) -> dict[str, Any]:
    """An agent as JSON. Its id is the hash of its code, repeated as `code`."""
    return {
        "id": agent.id,
        "number": agent.number,
        "status": agent.status,
        "kind": agent.kind,
        "title": agent.title,
        "hypothesis": agent.hypothesis,
        "score": agent.score,
        "lower": agent.lower,
        "upper": agent.upper,
        "depth": agent.depth,
        "parents": list(agent.parents),
        "proposal": agent.proposal_index,
        "reason": reason,
        "code": agent.id,
        "created_at": when(agent.created_at),
        "decided_at": when(agent.decided_at),
    }


def describe_agent(archive: Archive, agent: Agent) -> dict[str, Any]:
    """An agent, its proposal, its results and its failures, as JSON."""
    proposal = None if agent.proposal_id is None else archive.proposals.get(agent.proposal_id)
    rows = archive.evaluations.of(agent.id, include_broken=True)
    files = archive.agents.files(agent.id)
    return {
        "agent": agent_json(agent, proposal.reason if proposal else None),
        "proposal": proposal and _proposal(proposal),
        "files": {path: len(text.encode()) for path, text in files.items()},
        "children": [child.id for child in archive.agents.children(agent.id)],
        "benchmarks": _benchmarks([row for row in rows if row.verdict == "scored"]),
        "failures": [_failure(row) for row in rows if row.verdict != "scored"],
        "suites": [] if agent.number is None else _suites(archive, agent.number),
        "gates": [asdict(gate) for gate in archive.gates(agent_id=agent.id)],
        "sealed": _sealed(archive, agent),
    }


def _suites(archive: Archive, number: int) -> list[dict[str, Any]]:
    return [
        {
            "hash": one.suite.suite.hash,
            "name": one.suite.suite.name,
            "benchmarks": list(one.suite.suite.benchmarks),
            "current": one.suite.current,
            "score": one.score,
            "lower": one.lower,
            "upper": one.upper,
            "vector": dict(one.vector),
        }
        for one in archive.suites.of_agent(number)
    ]


def _proposal(proposal: Proposal) -> dict[str, Any]:
    names = ("idx", "run_id", "rewriter", "state", "predicted_gain", "confidence", "operation")
    return {name: getattr(proposal, name) for name in names}


def _benchmarks(scored: Sequence[Evaluation]) -> list[dict[str, Any]]:
    names = sorted({row.benchmark for row in scored if row.stage in ("screen", "full")})
    return [_benchmark(name, [row for row in scored if row.benchmark == name]) for name in names]


def _benchmark(name: str, scored: Sequence[Evaluation]) -> dict[str, Any]:
    """One benchmark over the seeds of the search: score, metrics, costs against the allowance."""
    from cambrian.evaluators.statistics import mean_interval

    rows = [row for row in scored if row.stage in ("screen", "full")]
    estimate = mean_interval([row.score for row in rows if row.score is not None])
    metrics = sorted(set.intersection(*(set(row.metrics) for row in rows)))
    flops, state, peak = (
        max((getattr(row, key) or 0 for row in rows), default=0)
        for key in ("flops", "state_bytes", "peak_bytes")
    )
    return {
        "benchmark": name,
        "version": rows[-1].version,
        "seeds": [row.seed for row in rows],
        "mean": estimate.mean,
        "lower": estimate.lower,
        "upper": estimate.upper,
        "raw": mean_of([row.raw for row in rows]),
        "metrics": {key: mean_of([row.metrics[key] for row in rows]) for key in metrics},
        "flops": flops,
        "state_bytes": state,
        "peak_bytes": peak,
        "cpu_s": mean_of([row.cpu_s for row in rows]),
        **allowed(name),
    }


def mean_of(values: Sequence[Any]) -> float | None:
    """The mean of those that are numbers; None if there are none."""
    numbers = [float(v) for v in values if isinstance(v, (int, float))]
    return sum(numbers) / len(numbers) if numbers else None


def allowed(name: str) -> dict[str, int | None]:
    """What a learner may spend on a benchmark; unknown for one that is gone or not calibrated."""
    from cambrian.evaluators.benchmarks import benchmark, names
    from cambrian.evaluators.calibration import calibration

    nothing: dict[str, int | None] = {"flops_allowed": None, "state_bytes_allowed": None}
    if name not in names():
        return nothing
    try:
        measure = calibration(benchmark(name))
    except UsageError:
        return nothing
    return {
        "flops_allowed": measure.flops_allowed,
        "state_bytes_allowed": measure.state_allowed,
    }


def _failure(row: Evaluation) -> dict[str, Any]:
    names = ("benchmark", "stage", "seed", "verdict", "reason")
    return {name: getattr(row, name) for name in names}


def _sealed(archive: Archive, agent: Agent) -> dict[str, Any] | None:
    if not archive.evaluations.of(agent.id, sealed=True):
        return None
    from cambrian.reports.run import sealed_of, streams_of

    return sealed_of(archive, agent, streams_of(archive)).to_json()
