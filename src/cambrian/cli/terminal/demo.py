"""`cambrian demo`: a recorded run, replayed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from cambrian.cli.context import common, examples
from cambrian.cli.render.output import say

if TYPE_CHECKING:
    from cambrian.cli.terminal.recording import Replay

SPEED = 10.0
LOOK_S = 0.2


@click.command(epilog=examples("cambrian demo", "cambrian demo --plain --speed 200"))
@click.option(
    "--top/--plain",
    "screen",
    default=None,
    help="On the screen, or as lines. [default: the screen]",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.1, max=100_000),
    default=SPEED,
    show_default=True,
    metavar="X",
    help="Play X times as fast as it was.",
)
@common
def demo(screen: bool | None, speed: float) -> None:
    """Replay a recorded run: no Docker, no archive, no waiting.

    It is the log of a real run of ten minutes, marked as a replay; nothing is run or written.
    """
    from cambrian.cli.terminal.recording import Replay

    replay = Replay(speed)
    if screen or (screen is None and sys.stdout.isatty()):
        from cambrian.cli.terminal.app import Top

        Top(replay).run()
        return
    _plain(replay)


def _plain(replay: Replay) -> None:
    from cambrian.cli.terminal.recording import recording
    from cambrian.reports.live.lines import event, lines

    say(f"REPLAY of a recorded run: {recording()['what']}")
    while True:
        state, now = replay.look()
        for one in replay.fresh:
            if one.kind in ("proposal.admitted", "proposal.rejected"):
                say(f"replay  {event(one)}")
        if replay.ended:
            break
        time.sleep(LOOK_S)
    for row in lines(state, now):
        say(f"replay  {row}")
