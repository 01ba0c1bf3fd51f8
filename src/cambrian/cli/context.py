"""What every command has in common: the archive, how much is said, JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from cambrian import places
from cambrian.evolution.settings import SandboxName
from cambrian.sandbox.session.limits import ALLOW_UNBOUNDED

if TYPE_CHECKING:
    from cambrian.archive import Archive

CONTROL = "control"
"""The control's archive, inside the archive's directory (`cambrian.archive.store.CONTROL`)."""

INTERRUPTED = 128 + 2
"""The exit code after Ctrl-C, as a shell reports SIGINT."""

TRACEBACKS = 2
"""How many -v it takes to see them."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Shared:
    """The global options of one call."""

    archive: Path
    verbose: int = 0

    @contextmanager
    def reading(self) -> Iterator[Archive]:
        """The archive, for reading only.

        Raises:
            NotFound: there is none. UsageError, Refused: see `Archive.open`.
        """
        from cambrian.archive import Archive

        with Archive.open(self.archive, read_only=True) as archive:
            yield archive


def default_archive() -> Path:
    """`archive` in the user's data directory. Raises UsageError: there is none."""
    return places.data() / "archive"


@contextmanager
def reading_control(archive: Path) -> Iterator[Archive | None]:
    """The control's archive, for reading only; None where no control was run."""
    from cambrian.archive import Archive

    if not (archive / CONTROL / "archive.db").is_file():
        yield None
        return
    with Archive.open(archive / CONTROL, read_only=True) as control:
        yield control


def _set_archive(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    shared = context.find_object(Shared)
    if value is not None and shared is not None:
        shared.archive = value


def _add_verbose(context: click.Context, _: click.Parameter, value: int) -> None:
    shared = context.find_object(Shared)
    if shared is not None:
        shared.verbose += value


def common(command: Command) -> Command:
    """The global options again, so that they are also understood after a command's name."""
    archive = click.option(
        "--archive",
        type=click.Path(path_type=Path),
        callback=_set_archive,
        expose_value=False,
        allow_from_autoenv=False,
        hidden=True,
    )
    verbose = click.option(
        "-v",
        "--verbose",
        count=True,
        callback=_add_verbose,
        expose_value=False,
        allow_from_autoenv=False,
        hidden=True,
    )
    return archive(verbose(command))


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
)


def _allow(_: click.Context, __: click.Parameter, value: bool) -> None:
    if value:  # by the environment, for worker processes have to know too
        os.environ[ALLOW_UNBOUNDED] = "1"


workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    default=2,
    show_default=True,
    metavar="N",
    help="Evaluation processes.",
)


SANDBOXES = get_args(SandboxName)

allow_option = click.option(
    "--allow-unbounded-memory",
    is_flag=True,
    callback=_allow,
    expose_value=False,
    allow_from_autoenv=False,
    help="Continue where only the memory of each process alone can be bounded (bubblewrap without "
    "root).",
)


def sandbox_option(command: Command) -> Command:
    """Where untrusted code runs, and what it may lack."""
    sandbox = click.option(
        "--sandbox",
        type=click.Choice(SANDBOXES),
        default="auto",
        show_default=True,
        help="Where untrusted code runs; none is no sandbox at all, and is never chosen by auto.",
    )
    return sandbox(allow_option(command))


def examples(*commands: str) -> str:
    """An epilog with examples that click does not wrap."""
    head = "Example:" if len(commands) == 1 else "Examples:"
    return "\b\n" + "\n".join([head, *(f"  {command}" for command in commands)])
