"""`cambrian events`: what happened, as it happens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples
from cambrian.cli.render.output import say, show_json_line
from cambrian.cli.render.text import line, short
from cambrian.reports import events as reports

if TYPE_CHECKING:
    from cambrian.archive import Event

LOOK_S = 0.5
"""Seconds between two looks of `--follow`."""


@click.command(
    epilog=examples(
        "cambrian events --last 50",
        "cambrian events --follow",
        "cambrian events --after 0 --json-lines",
    )
)
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Begin with the last N events.",
)
@click.option(
    "--after",
    type=click.IntRange(min=0),
    metavar="SEQ",
    help="Begin after the event with this sequence number instead (0: with the first).",
)
@click.option("--follow", is_flag=True, help="Continue with each new event, until Ctrl-C.")
@click.option("--json-lines", is_flag=True, help="Print one JSON object a line instead of text.")
@common
@click.pass_obj
def events(shared: Shared, last: int, after: int | None, follow: bool, json_lines: bool) -> None:
    """Show what happened: each event of the archive's log, oldest first.

    A line is the sequence number, the moment (UTC), what happened, and whom it concerns.
    """
    with shared.reading() as archive:
        start = reports.last_event(archive, last) if after is None else after
        found = reports.follow(archive, _wait, start) if follow else reports.events(archive, start)
        for event in found:
            if json_lines:
                show_json_line(reports.event_json(event))
            else:
                say(_row(event))


def _wait() -> bool:
    time.sleep(LOOK_S)
    return True


def _row(event: Event) -> str:
    told: dict[str, Any] = reports.event_json(event)
    parts = [str(event.seq), str(told["at"]), event.kind]
    parts += [f"{name} {told[name]}" for name in ("run", "proposal", "job") if name in told]
    parts += [f"agent {short(event.agent_id)}"] if event.agent_id else []
    parts += [f"{name}={value}" for name, value in event.data.items()]
    return line("  ".join(parts))[:200]
