"""`cambrian agent list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import note, show_list, show_table
from cambrian.cli.render.text import interval, short, when

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive
    from cambrian.archive.tables.agents import Order


@click.command(
    epilog=examples(
        "cambrian agent list --order lower --limit 10",
        "cambrian agent list --all --limit 0 --json",
    )
)
@click.option("--all", "everyone", is_flag=True, help="Rejected and undecided agents too.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="At most N agents; 0 for every one.",
)
@click.option(
    "--order",
    type=click.Choice(["number", "score", "lower", "recent"]),
    default="number",
    show_default=True,
    help="By number, mean score, lower bound (both best first), or newest first.",
)
@json_option
@common
@click.pass_obj
def list_agents(shared: Shared, everyone: bool, limit: int, order: str, as_json: bool) -> None:
    """List the agents of the tree, or all of them."""
    with shared.reading() as archive:
        # One more than asked for tells whether there are more.
        found = archive.agents.select(
            everyone=everyone, limit=limit + 1 if limit else None, order=cast("Order", order)
        )
        shown = found[:limit] if limit else found
        if as_json:
            reasons = _reasons(archive, shown)
            items = [item(agent, reasons.get(agent.proposal_id)) for agent in shown]
            show_list(items, truncated=len(found) > len(shown))
            return
    show_table(["number", "id", "kind", "score", "parents", "title"], [_row(a) for a in shown])
    if len(found) > len(shown):
        note(f"the first {limit}; --limit 0 shows every one")


def _row(agent: Agent) -> list[str]:
    return [
        "-" if agent.number is None else f"#{agent.number}",
        short(agent.id),
        (agent.kind or agent.status).replace("_", " "),
        interval(agent.score, agent.lower, agent.upper),
        ", ".join(map(short, agent.parents)) or "-",
        agent.title,
    ]


def _reasons(archive: Archive, agents: list[Agent]) -> dict[int | None, str | None]:
    """Why each was admitted or rejected, by proposal: in one query where there are many."""
    if len(agents) > 100:
        return {p.id: p.reason for p in archive.proposals.select()}
    wanted = [agent.proposal_id for agent in agents if agent.proposal_id is not None]
    return {number: archive.proposals.get(number).reason for number in wanted}


def item(agent: Agent, reason: str | None) -> dict[str, Any]:
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
