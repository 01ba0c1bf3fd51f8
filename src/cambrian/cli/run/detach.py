"""`cambrian run --detach`: starting `cambrian daemon` in the background."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared
from cambrian.cli.ops.config import ARGUMENTS
from cambrian.cli.render.output import note, show_json
from cambrian.errors import CambrianError, Unreachable

if TYPE_CHECKING:
    from cambrian.evolution.settings import Settings

READY_S = 120.0
"""How long a detached daemon may take until it answers."""


def detached(ctx: click.Context, shared: Shared, settings: Settings, *, as_json: bool) -> None:
    """Start `cambrian daemon` with the arguments of this `run`, and wait until it is ready.

    Raises:
        CambrianError: it ended at once; says what it said.
        Unreachable: it does not answer in time.
    """
    from cambrian.cli.run.plan import plan
    from cambrian.daemon import killswitch

    killswitch.require_clear(shared.archive)
    for row in plan(shared.archive, settings, control=False, seal=False):
        note(row)
    arguments = [each for each in ctx.meta[ARGUMENTS] if each not in ("--detach", "--json")]
    shared.archive.absolute().parent.mkdir(parents=True, exist_ok=True)
    path = shared.archive.absolute()
    output = path.with_name(path.name + ".out")
    with output.open("ab") as sink:
        sink_from = sink.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "cambrian", "--archive", str(path), "daemon", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env=os.environ | _config(ctx),
        )
    status = _wait(process, shared)
    if status is None:
        said = output.read_bytes()[sink_from:].decode("utf-8", "replace").strip().splitlines()
        error = CambrianError(f"the daemon ended at once: {said[-1] if said else 'no word'}")
        error.exit_code = process.returncode or 1
        raise error
    if as_json:
        show_json({"pid": process.pid, "output": str(output), "daemon": status})
        return
    note(f"daemon {process.pid} is running; its output goes to {output}")
    note("`cambrian status` looks at it, `cambrian stop` stops it")


def _config(ctx: click.Context) -> dict[str, str]:
    used = ctx.find_root().meta.get("cambrian.config")
    return {"CAMBRIAN_CONFIG": str(used.absolute())} if used else {}


def _wait(process: subprocess.Popen[bytes], shared: Shared) -> dict[str, Any] | None:
    """What the daemon says once it answers; None if it ended."""
    from cambrian.daemon import socket

    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            return None
        try:
            status: dict[str, Any] = socket.ask(shared.archive, "status")["data"]
        except Unreachable:
            time.sleep(0.1)
            continue
        if status["pid"] == process.pid:
            return status
        time.sleep(0.1)
    raise Unreachable(f"daemon {process.pid} does not answer after {READY_S:g} s")
