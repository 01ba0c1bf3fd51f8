"""`cambrian agent show`: everything that is known of one agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_table
from cambrian.cli.render.text import indented, interval, line, number, quantity, short
from cambrian.reports.agents import describe_agent

if TYPE_CHECKING:
    from cambrian.archive import Agent


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
        found = describe_agent(archive, agent)
    if as_json:
        show_json(found)
    else:
        _show(agent, found)


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
    _show_suites(found["suites"])
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


def _show_suites(rows: Sequence[dict[str, Any]]) -> None:
    """Only where there is more than the one that its score is of."""
    if len(rows) < 2 and all(row["current"] for row in rows):
        return
    heading("Suites (scores of two are never compared)")
    cells = [
        [
            row["hash"][:8] + (" *" if row["current"] else ""),
            row["name"] or ", ".join(row["benchmarks"]),
            interval(row["score"], row["lower"], row["upper"]),
        ]
        for row in rows
    ]
    show_table(["suite", "of", "score"], cells)


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
