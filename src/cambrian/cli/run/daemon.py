"""`cambrian daemon`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import INTERRUPTED, Shared, common, examples, json_option
from cambrian.cli.ops.config import Remembering, models, prices, read_again
from cambrian.cli.render.output import note
from cambrian.cli.run.execute import evolve, report
from cambrian.cli.run.options import run_options, settings_of

if TYPE_CHECKING:
    from cambrian.evolution.settings import Settings


@click.command(
    cls=Remembering,
    epilog=examples(
        "cambrian daemon --agents 1000 --workers 4 --metrics 9100",
        "cambrian daemon --rewriter model --model NAME --dollars 50 --approve champion",
    ),
)
@run_options
@click.option("--abandon", is_flag=True, help="Give up an unfinished run that had other settings.")
@json_option
@common
@click.pass_context
def daemon(ctx: click.Context, /, abandon: bool, as_json: bool, **options: Any) -> None:
    """Let the archive evolve for weeks, in the foreground of a service manager.

    As `cambrian run`, and besides: tells systemd when it is ready and that it is alive
    (Type=notify, packaging/cambrian.service), writes every event to logs/daemon.jsonl in the
    archive, and reloads its settings on SIGHUP. SIGTERM finishes what is being evaluated
    (within --drain seconds), a second one stops at once. See docs/daemon.md.
    """
    from cambrian.daemon.logs import EventLog
    from cambrian.daemon.notify import Notifier

    shared = ctx.ensure_object(Shared)
    settings = settings_of(options, prices(ctx), models(ctx))

    def reload() -> tuple[Settings, list[str]]:
        given = read_again(ctx)
        later = [
            f"{name}: {options[name]} before, {given[name]} now"
            for name in ("sandbox", "drain", "metrics")
            if given[name] != options[name]
        ]
        return settings_of(given, prices(ctx), models(ctx)), later

    log = EventLog(shared.archive / "logs")
    try:
        ending = evolve(
            shared,
            settings,
            abandon=abandon,
            drain_s=options["drain"],
            metrics_port=options["metrics"],
            reload=reload,
            notifier=Notifier.of(os.environ),
            log=log,
            patient=True,
        )
    finally:
        log.close()
    report(shared.archive, as_json=as_json)
    if ending.state == "stopped":
        note("stopped before its end: the same command continues it")
        ctx.exit(INTERRUPTED)
