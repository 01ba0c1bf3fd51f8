"""`cambrian init` and `cambrian run`."""

from __future__ import annotations

from typing import Any

import click

from cambrian.cli.context import INTERRUPTED, Shared, common, examples, json_option
from cambrian.cli.ops.config import Remembering, models, prices
from cambrian.cli.render.output import note, say
from cambrian.cli.run.detach import detached
from cambrian.cli.run.execute import evolve, report
from cambrian.cli.run.options import run_options, settings_of
from cambrian.errors import UsageError


@click.command(epilog=examples("cambrian init", "cambrian --archive ./mine init"))
@common
@click.pass_obj
def init(shared: Shared) -> None:
    """Make an archive and put the seed agents into it.

    `cambrian run` does this by itself where there is no archive yet.
    """
    from cambrian.archive import Archive
    from cambrian.daemon import supervisor

    supervisor.init(shared.archive)
    with Archive.open(shared.archive, read_only=True) as archive:
        note(f"{archive.counts()['agents']} seed agents; `cambrian run` lets them evolve")
    say(str(shared.archive))


@click.command(
    cls=Remembering,
    epilog=examples(
        "cambrian run --proposals 40 --workers 2",
        "cambrian run --hours 8 --rewriter model --model NAME",
        "CAMBRIAN_RUN_WORKERS=4 cambrian run --judged 100",
        "cambrian run --detach --agents 1000 --metrics 9100",
    ),
)
@run_options
@click.option(
    "--control/--no-control",
    default=False,
    show_default=True,
    help="Then spend the same budget on random recombinations of the seeds, for comparison.",
)
@click.option(
    "--seal/--no-seal",
    default=False,
    show_default=True,
    help="When the run has finished, do as `cambrian bench seal` does.",
)
@click.option("--abandon", is_flag=True, help="Give up an unfinished run that had other settings.")
@click.option(
    "--detach",
    is_flag=True,
    help="Run as a daemon in the background, and return once it is ready. Not with --control or "
    "--seal: once it has finished, the same command without --detach does those.",
)
@json_option
@common
@click.pass_context
def run(
    ctx: click.Context,
    /,
    control: bool,
    seal: bool,
    abandon: bool,
    detach: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Let the archive evolve, then report.

    Ctrl-C finishes what is being evaluated and stops, a second one stops at once; the same
    command continues from there, also after a kill. Every option that takes a value can
    also be set in the environment, as CAMBRIAN_RUN_ and its name, or under [run] in cambrian.toml
    (`cambrian config show --origin`).
    """
    from cambrian.sandbox.backends.gpu import require_enough

    shared = ctx.ensure_object(Shared)
    settings = settings_of(options, prices(ctx), models(ctx))
    require_enough(settings.device, settings.workers)
    if detach:
        if control or seal:
            raise UsageError(
                "--detach goes without --control and --seal: they come after the run, when nothing "
                "answers `cambrian status` and `cambrian stop`. Once the run has finished, the "
                "same command with them and without --detach continues from there"
            )
        detached(ctx, shared, settings, as_json=as_json)
        return
    ending = evolve(
        shared,
        settings,
        control=control,
        seal=seal,
        abandon=abandon,
        drain_s=options["drain"],
        metrics_port=options["metrics"],
    )
    report(shared.archive, as_json=as_json)
    if ending.state == "stopped":
        note("stopped before its end: the same command continues it")
        ctx.exit(INTERRUPTED)
