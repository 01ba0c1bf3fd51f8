"""Carrying a run on to its end, and reporting what came of it: what `run` and `daemon` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.cli.context import Shared
from cambrian.cli.render.output import note, show_json

if TYPE_CHECKING:
    from cambrian.daemon.supervisor import Ending
    from cambrian.evolution.settings import Settings


def evolve(
    shared: Shared,
    settings: Settings,
    *,
    control: bool = False,
    seal: bool = False,
    abandon: bool = False,
    **options: Any,
) -> Ending:
    """Say what is planned, and carry the run on to its end (`options`: of the service)."""
    from cambrian.archive.sqlite import lock
    from cambrian.archive.store import LOCK
    from cambrian.cli.run.plan import plan
    from cambrian.cli.run.progress import ProgressReporter
    from cambrian.daemon import supervisor
    from cambrian.daemon.service import Options

    lock.require_free(shared.archive / LOCK)
    for row in plan(shared.archive, settings, control=control, seal=seal):
        note(row)
    with ProgressReporter(shared.archive, verbose=bool(shared.verbose)) as tell:
        return supervisor.run(
            shared.archive,
            settings,
            tell,
            control=control,
            seal=seal,
            abandon=abandon,
            options=Options(**options),
        )


def report(path: Path, *, as_json: bool) -> None:
    """What came of it, on standard output."""
    from cambrian.archive import Archive
    from cambrian.cli.context import reading_control
    from cambrian.cli.run.summary import show_summary
    from cambrian.cli.status import ask_live
    from cambrian.reports.run import champions_path
    from cambrian.reports.status import status

    with Archive.open(path, read_only=True) as archive, reading_control(path) as control:
        found = status(archive, control, ask_live(archive))
        if as_json:
            show_json({**found, "path": [step.to_json() for step in champions_path(archive)]})
        else:
            show_summary(archive, found)
