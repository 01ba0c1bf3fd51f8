"""`cambrian`: the commands, and the one place where errors become exit codes.

::

    0  fine            3  no such archive, agent, ...
    1  failed          4  an engine or an endpoint does not answer
    2  wrong usage     5  refused
                       130  stopped by Ctrl-C

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from cambrian._version import __version__
from cambrian.cli.agent.group import agent
from cambrian.cli.bench.group import bench
from cambrian.cli.claim import claim
from cambrian.cli.context import INTERRUPTED, TRACEBACKS, Shared, default_archive, examples
from cambrian.cli.experiment import experiment
from cambrian.cli.mechanism import mechanism
from cambrian.cli.model.group import model
from cambrian.cli.ops import config as configuration
from cambrian.cli.ops.archive import archive as archive_group
from cambrian.cli.ops.compare import compare
from cambrian.cli.ops.completion import completion
from cambrian.cli.ops.cost import cost
from cambrian.cli.ops.db import db
from cambrian.cli.ops.doctor import doctor
from cambrian.cli.ops.events import events
from cambrian.cli.ops.image import image
from cambrian.cli.ops.report import report
from cambrian.cli.ops.serve import serve
from cambrian.cli.ops.sql import sql
from cambrian.cli.plot import plot
from cambrian.cli.render.output import note
from cambrian.cli.run import control
from cambrian.cli.run.daemon import daemon
from cambrian.cli.run.run import init, run
from cambrian.cli.run.solve import solve
from cambrian.cli.status import status
from cambrian.cli.streams import prepare
from cambrian.cli.suite import suite
from cambrian.cli.terminal.demo import demo
from cambrian.cli.terminal.top import top
from cambrian.cli.tree import tree
from cambrian.errors import CambrianError, StorageTrouble

PIPE_CLOSED = 128 + 13  # as a shell reports SIGPIPE


class Root(click.Group):
    """The commands in the order of a first visit; errors as one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are declared, not by alphabet: as a newcomer needs them."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and turn what it raises into a line on stderr and an exit code
        (errors.py)."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            _drop_stdout()
            ctx.exit(PIPE_CLOSED)
        except KeyboardInterrupt:
            note("cambrian: interrupted")
            ctx.exit(INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - the process boundary
            ctx.exit(_report(ctx, error))


def _report(ctx: click.Context | None, error: Exception) -> int:
    """Say what went wrong; the exit code."""
    shared = None if ctx is None else ctx.find_object(Shared)
    if shared is not None and shared.verbose >= TRACEBACKS:
        note("".join(traceback.format_exception(error)))
    if isinstance(error, StorageTrouble) and shared is not None:
        from cambrian.archive.sqlite.storage_errors import explained

        error = explained(error, shared.archive)
    if isinstance(error, CambrianError):
        note("cambrian: " + str(error).strip().replace("\n", "\n  "))
        return error.exit_code
    if isinstance(error, OSError):
        _drop_stdout()
        note(f"cambrian: {error}")
    elif isinstance(error, sqlite3.Error):
        note(f"cambrian: the archive cannot be read: {error}; `cambrian db check` looks closer")
    else:
        said = " ".join(str(error).split())[:300]
        note(
            f"cambrian: unexpected {type(error).__name__}: {said}. This is a defect in Cambrian: "
            "the same command with -vv shows where; nothing recorded is lost"
        )
    return 1


def _drop_stdout() -> None:
    """Standard output is closed: do not complain about it again on the way out."""
    try:
        target = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target)
    os.close(nowhere)


@click.group(
    cls=Root,
    context_settings={
        "auto_envvar_prefix": "CAMBRIAN",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog=examples(
        "cambrian doctor",
        "cambrian run --proposals 40 --workers 2",
        "cambrian tree",
        "cambrian agent why @best",
    ),
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    envvar="CAMBRIAN_ARCHIVE",
    show_envvar=True,
    show_default="in the user's data directory",
    default=default_archive,
    help="Directory of the archive.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="CAMBRIAN_CONFIG",
    show_envvar=True,
    show_default="cambrian.toml here, else in the user's configuration directory",
    help="File with settings.",
)
@click.option(
    "-v",
    "--verbose",
    count=True,
    allow_from_autoenv=False,
    help="Say more; -vv shows tracebacks.",
)
@click.version_option(__version__, prog_name="cambrian", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, archive: Path, config: Path | None, verbose: int) -> None:
    """An open-ended archive of self-improving learning algorithms.

    Agents are named by a unique prefix of their id (4 digits or more), by #NUMBER, @best (the
    champion) or @root (the first seed agent); ID^ is a parent, ID^2 the second one, ID~3 three
    steps up.

    Data goes to standard output, everything else to standard error. Exit codes: 0 fine, 1 failed,
    2 wrong usage, 3 not found, 4 not reachable, 5 refused, 130 stopped by Ctrl-C.
    """
    ctx.obj = Shared(archive, verbose)
    configuration.use(ctx, config)


for command in (
    *(
        init,
        doctor,
        run,
        solve,
        daemon,
        status,
        demo,
        top,
        serve,
        report,
        events,
        *control.COMMANDS,
        cost,
        configuration.config,
    ),
    *(
        tree,
        agent,
        compare,
        plot,
        bench,
        suite,
        mechanism,
        model,
        claim,
        experiment,
        sql,
        db,
        archive_group,
        image,
        completion,
    ),
):
    cli.add_command(command)


def main() -> None:
    """The entry point `cambrian`."""
    prepare()
    try:
        cli(prog_name="cambrian")
    except Exception as error:  # noqa: BLE001 - the process boundary, for what is not a command yet
        sys.exit(_report(None, error))


if __name__ == "__main__":
    main()
