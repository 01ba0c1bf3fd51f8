"""`cambrian agent list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import note, show_list, show_table
from cambrian.cli.render.text import interval, short
from cambrian.reports import agents as reports

if TYPE_CHECKING:
    from cambrian.archive import Agent
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
        found = reports.list_agents(
            archive, everyone=everyone, limit=limit, order=cast("Order", order)
        )
        if as_json:
            show_list(found.to_json(archive), truncated=found.more)
            return
    rows = [_row(agent) for agent in found.agents]
    show_table(["number", "id", "kind", "score", "parents", "title"], rows)
    if found.more:
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
