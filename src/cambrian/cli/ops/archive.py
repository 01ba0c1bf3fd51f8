"""`cambrian archive`: a whole archive as a bundle, and two archives as one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.ops.db import identity
from cambrian.cli.render.output import note, say, show_json

if TYPE_CHECKING:
    from cambrian.archive.transfer.merging import Merged

other_benchmarks_option = click.option(
    "--other-benchmarks",
    is_flag=True,
    help="Also where agents were judged by other benchmarks or versions: scores do not compare.",
)


@click.group()
def archive() -> None:
    """Export the archive as one file, or import another one."""


@archive.command(epilog=examples("cambrian archive export archive.cambrian"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@common
@click.pass_obj
def export(shared: Shared, file: Path, as_json: bool) -> None:
    """Write everything that was decided to FILE, a portable bundle, also during a run."""
    from cambrian.archive.transfer.bundle import export as write

    with shared.reading() as source:
        agents = write(source, file)
    if as_json:
        show_json({"path": str(file), "agents": agents, "bytes": file.stat().st_size})
        return
    note(f"{agents} agents")
    say(str(file))


@archive.command("import", epilog=examples("cambrian archive import archive.cambrian"))
@click.argument("file", type=click.Path(path_type=Path))
@other_benchmarks_option
@json_option
@common
@click.pass_obj
def import_(shared: Shared, file: Path, other_benchmarks: bool, as_json: bool) -> None:
    """Add what the bundle FILE holds; the archive is made if it is not there.

    Both lineages are kept, and the same code is one agent. Everything is checked, and nothing is
    kept of a bundle in which anything is wrong. Scores are what its maker says: nothing is
    evaluated again.
    """
    _show(_merge(shared.archive, file, other_benchmarks), as_json)


@archive.command(epilog=examples("cambrian archive merge ../other/archive"))
@click.argument("other", type=click.Path(path_type=Path))
@other_benchmarks_option
@json_option
@common
@click.pass_obj
def merge(shared: Shared, other: Path, other_benchmarks: bool, as_json: bool) -> None:
    """Add the lineage of the archive OTHER to this one; OTHER stays as it is."""
    from cambrian.archive import Archive
    from cambrian.archive.transfer.bundle import export as write

    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        with Archive.open(other, read_only=True) as source:
            write(source, bundle)
        done = _merge(shared.archive, bundle, other_benchmarks)
    _show(done, as_json)


def _merge(home: Path, bundle: Path, other_benchmarks: bool) -> Merged:
    from cambrian.archive import Archive
    from cambrian.archive.lineage.lineage import Lineage
    from cambrian.archive.transfer.merging import merge as add

    with Archive.open_or_create(home) as target, target.lock():
        done = add(target, bundle, identity, other_benchmarks=other_benchmarks)
        Lineage(target).update()
    return done


def _show(done: Merged, as_json: bool) -> None:
    if as_json:
        show_json(vars(done))
        return
    say(
        f"{done.new} new agents, {done.known} known ones, {done.promoted} that are members now; "
        f"{done.proposals} proposals, {done.evaluations} evaluations"
    )
