"""`cambrian tree`: the archive as it grew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.drawing import draw
from cambrian.cli.render.output import note, say, show_list
from cambrian.cli.render.text import interval, line, short
from cambrian.reports.tree import Below, forest, placed

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive


@click.command(
    epilog=examples("cambrian tree", "cambrian tree @best~2 --depth 3", "cambrian tree --all")
)
@click.argument("root", required=False)
@click.option("--all", "everyone", is_flag=True, help="Rejected and undecided agents too.")
@click.option(
    "--depth", type=click.IntRange(min=0), help="How many levels below the roots. [default: all]"
)
@json_option
@common
@click.pass_obj
def tree(
    shared: Shared, root: str | None, everyone: bool, depth: int | None, as_json: bool
) -> None:
    """Draw the tree of agents, or the clade of ROOT.

    A line is number, id, kind, score [lower, upper] and title; * marks the champion, x a second
    parent.
    """
    with shared.reading() as archive:
        roots, below = forest(archive, root, everyone=everyone)
        if as_json:
            rows = list(placed(roots, below, depth))
            show_list([row.to_json() for row in rows], truncated=any(row.hidden for row in rows))
        else:
            for row in lines(archive, roots, below, depth):
                say(row)
        if not roots:
            note("the archive is empty: `cambrian run` adds the seed agents")


def lines(
    archive: Archive, roots: Sequence[Agent], below: Below, depth: int | None = None
) -> list[str]:
    """The drawing, one agent a line."""
    champion = archive.champion()
    best = champion.id if champion else ""
    drawn = []
    for row in draw(roots, below, depth):
        drawn.append(row.branch + label(archive, row.node, champion=row.node.id == best))
        if row.hidden:
            drawn[-1] += f"  (+{row.hidden} below)"
    return drawn


def label(archive: Archive, agent: Agent, *, champion: bool = False) -> str:
    """An agent in one line."""
    number = "?" if agent.number is None else str(agent.number)
    parts = [
        f"#{number}{'*' if champion else ''}",
        short(agent.id),
        (agent.kind or agent.status).replace("_", " "),
        _score(archive, agent),
        line(agent.title),
        *(f"x #{archive.agents.get(other).number}" for other in agent.parents[1:]),
    ]
    return "  ".join(parts)


def _score(archive: Archive, agent: Agent) -> str:
    """Its score; of a seed agent that failed, on what."""
    if agent.score is None and agent.status == "seed":
        for row in archive.evaluations.failures_of_seeds():
            if row.agent_id == agent.id:
                return f"failed on {line(row.benchmark)}"
    return interval(agent.score, agent.lower, agent.upper)
