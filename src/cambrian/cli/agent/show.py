"""`cambrian agent show`: everything that is known of one agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.agent.listing import item
from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_table
from cambrian.cli.render.text import indented, interval, line, number, quantity, short

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive, Evaluation, Proposal


@click.command(epilog=examples("cambrian agent show @best", "cambrian agent show 3fa9c1 --json"))
@click.argument("agent_id", metavar="ID")
@json_option
@common
@click.pass_obj
def show(shared: Shared, agent_id: str, as_json: bool) -> None:
    """Show all that is known of the agent ID.

    Means [lower, upper] per benchmark are over the seeds of the search (95 %); FLOPs (floating
    point operations) and bytes of state stand beside what a learner is allowed.
    """
    with shared.reading() as archive:
        agent = archive.agents.get(archive.resolve(agent_id))
        found = describe(archive, agent)
    if as_json:
        show_json(found)
    else:
        _show(agent, found)


def describe(archive: Archive, agent: Agent) -> dict[str, Any]:
    """An agent, its proposal, its results and its failures, as JSON."""
    proposal = None if agent.proposal_id is None else archive.proposals.get(agent.proposal_id)
    rows = archive.evaluations.of(agent.id, include_broken=True)
    files = archive.agents.files(agent.id)
    return {
        "agent": item(agent, proposal.reason if proposal else None),
        "proposal": proposal and _proposal(proposal),
        "files": {path: len(text.encode()) for path, text in files.items()},
        "children": [child.id for child in archive.agents.children(agent.id)],
        "benchmarks": _benchmarks([row for row in rows if row.verdict == "scored"]),
        "failures": [_failure(row) for row in rows if row.verdict != "scored"],
        "gates": [asdict(gate) for gate in archive.gates(agent_id=agent.id)],
        "sealed": _sealed(archive, agent),
    }


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
        **_allowed(name),
    }


def mean_of(values: Sequence[Any]) -> float | None:
    """The mean of those that are numbers; None if there are none."""
    numbers = [float(v) for v in values if isinstance(v, (int, float))]
    return sum(numbers) / len(numbers) if numbers else None


def _allowed(name: str) -> dict[str, int | None]:
    """What a learner may spend on a benchmark; unknown for one that is gone or not calibrated."""
    from cambrian.errors import UsageError
    from cambrian.evaluators.benchmarks import benchmark, names
    from cambrian.evaluators.calibration import ALLOWANCE, calibration

    nothing: dict[str, int | None] = {"flops_allowed": None, "state_bytes_allowed": None}
    if name not in names():
        return nothing
    try:
        measure = calibration(benchmark(name))
    except UsageError:
        return nothing
    return {
        "flops_allowed": ALLOWANCE * measure.flops,
        "state_bytes_allowed": ALLOWANCE * measure.state_bytes,
    }


def _failure(row: Evaluation) -> dict[str, Any]:
    names = ("benchmark", "stage", "seed", "verdict", "reason")
    return {name: getattr(row, name) for name in names}


def _sealed(archive: Archive, agent: Agent) -> dict[str, Any] | None:
    if not archive.evaluations.of(agent.id, sealed=True):
        return None
    from cambrian.reports.run import sealed_of, streams_of

    return sealed_of(archive, agent, streams_of(archive)).to_json()


def _show(agent: Agent, found: dict[str, Any]) -> None:
    given = found["agent"]
    proposal = found["proposal"] or {}
    show_fields(
        {
            "id": agent.id,
            "number": agent.number,
            "title": agent.title,
            "hypothesis": agent.hypothesis,
            "status": agent.status,
            "kind": (agent.kind or "").replace("_", " "),
            "reason": given["reason"],
            "score": interval(agent.score, agent.lower, agent.upper),
            "depth": agent.depth,
            "parents": ", ".join(map(short, agent.parents)),
            "children": ", ".join(map(short, found["children"])),
            "proposal": proposal.get("idx"),
            "rewriter": proposal.get("rewriter"),
            "predicted": _predicted(proposal),
            "decided": given["decided_at"],
            "files": ", ".join(f"{path} ({size} B)" for path, size in found["files"].items()),
        }
    )
    _show_benchmarks(found["benchmarks"])
    _show_metrics(found["benchmarks"])
    _show_failures(found["failures"])
    if found["sealed"]:
        heading("Sealed streams")
        sealed = found["sealed"]
        say(interval(sealed["mean"], sealed["lower"], sealed["upper"]))
    if found["gates"]:
        say()
        say(f"why: cambrian agent why {short(agent.id)}")


def _predicted(proposal: dict[str, Any]) -> str | None:
    gain, confidence = proposal.get("predicted_gain"), proposal.get("confidence")
    if gain is None:
        return None
    return f"gain {gain:+.3f}" + (f" with confidence {confidence:.2f}" if confidence else "")


def _show_benchmarks(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    heading("Benchmarks (mean [lower, upper] over seeds; costs as the most of any seed / allowed)")
    headers = ["benchmark", "seeds", "score", "min-ACC", "forgetting", "FLOP", "state"]
    show_table(headers, [_benchmark_row(row) for row in rows])


def _benchmark_row(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['benchmark']} v{row['version']}",
        str(len(row["seeds"])),
        interval(row["mean"], row["lower"], row["upper"]),
        number(row["metrics"].get("min_accuracy")),
        number(row["metrics"].get("forgetting")),
        f"{quantity(row['flops'])} / {quantity(row['flops_allowed'])}",
        f"{quantity(row['state_bytes'], 'B')} / {quantity(row['state_bytes_allowed'], 'B')}",
    ]


def _show_metrics(rows: Sequence[dict[str, Any]]) -> None:
    """Every recorded metric; a benchmark that has none of that name has a "-"."""
    names = sorted({name for row in rows for name in row["metrics"]})
    if not names:
        return
    heading("Metrics (means over seeds; docs/metrics.md defines them)")
    columns = [row["benchmark"] for row in rows]
    values = [[number(row["metrics"].get(name)) for row in rows] for name in names]
    cells = [[name, *found] for name, found in zip(names, values, strict=True)]
    show_table(["metric", *columns], cells)


def _show_failures(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    heading("Failures")
    for row in rows:
        say(f"{row['verdict']}: {line(row['benchmark'])}, {row['stage']} stage, seed {row['seed']}")
        say(indented(row["reason"]))
