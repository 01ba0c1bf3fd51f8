"""`cambrian agent`: one agent, or a list of them."""

from __future__ import annotations

import click

from cambrian.cli.agent.code import code, diff
from cambrian.cli.agent.distill import distill
from cambrian.cli.agent.export import export
from cambrian.cli.agent.importing import import_agent
from cambrian.cli.agent.listing import list_agents
from cambrian.cli.agent.replay import replay
from cambrian.cli.agent.show import show
from cambrian.cli.agent.why import lineage, why


@click.group()
def agent() -> None:
    """Look at agents: scores, code, reasons, ancestors; repeat a result, pack one to take along.

    Agents are named by a unique prefix of their id, #NUMBER, @best or @root, with ^ for a parent
    and ~3 for three steps up.
    """


agent.add_command(list_agents, "list")
agent.add_command(import_agent, "import")
for command in (show, diff, why, lineage, code, export, replay, distill):
    agent.add_command(command)
