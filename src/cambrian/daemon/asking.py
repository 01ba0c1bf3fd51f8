"""Asking something of a run: over its control socket or, where no process runs, in the archive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cambrian.archive import Archive
from cambrian.daemon import socket
from cambrian.daemon.intents import Intents
from cambrian.errors import NotFound, Unreachable


def request(
    path: Path, verb: str, arguments: Mapping[str, Any], *, dry_run: bool = False
) -> dict[str, Any]:
    """Ask the process that runs in the archive; where no process does, do it in the archive itself.

    Raises:
        Unreachable: a process runs there and does not answer.
        CambrianError: it was refused.
    """
    with Archive.open(path, read_only=True) as archive:
        runs = archive.lock_holder() is not None
    if not runs:
        return _offline(path, verb, arguments, dry_run=dry_run)
    try:
        return socket.ask(path, verb, arguments, dry_run=dry_run)
    except Unreachable as error:
        raise Unreachable(
            f"{error}. `cambrian stop --now` stops it by the kill switch; nothing recorded is lost"
        ) from error


def _offline(
    path: Path, verb: str, arguments: Mapping[str, Any], *, dry_run: bool
) -> dict[str, Any]:
    with Archive.open(path) as archive, archive.lock():
        run = archive.runs.last()
        if run is None:
            raise NotFound("nothing was run in this archive yet: `cambrian run`")
        intents = Intents(archive, run, run.settings)
        said = intents.ask(verb, arguments, f"user {os.geteuid()}", dry_run=dry_run)
    return {"answer": said, "data": {"dry_run": dry_run, "running": False}}
