"""`cambrian top`: the archive in the terminal."""

from __future__ import annotations

import sys
import time

import click

from cambrian.cli.context import Shared, common, examples
from cambrian.cli.render.output import say


@click.command(epilog=examples("cambrian top", "cambrian top --plain"))
@click.option(
    "--plain", is_flag=True, help="Print the state once, as lines; also without a terminal."
)
@common
@click.pass_obj
def top(shared: Shared, plain: bool) -> None:
    """Watch a run in the terminal: the tree, each agent, limits, events.

    It reads and never holds a run back. Press ? for the keys: filter, diff, why, compare, pause,
    approve. Agents that wait for approval stand after the seeds.
    """
    from cambrian.reports.live.feed import snapshot
    from cambrian.reports.live.lines import lines

    with shared.reading() as archive:
        if plain or not sys.stdout.isatty():
            for row in lines(snapshot(archive), time.time()):
                say(row)
            return
        from cambrian.cli.terminal.app import Top
        from cambrian.cli.terminal.source import ArchiveSource

        Top(ArchiveSource(archive)).run()
