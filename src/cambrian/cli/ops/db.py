"""`cambrian db`: the archive's own health, its backups, and its git lineage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import note, say, show_json, show_list
from cambrian.cli.render.text import line


@click.group()
def db() -> None:
    """Check the archive, back it up, bring it up to date, rebuild its git lineage."""


@db.command(epilog=examples("cambrian db check"))
@json_option
@common
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check every invariant of the archive.

    The file's integrity, counts, code against ids, decisions against events, the git lineage.
    Exit code 1 if something is wrong. Nothing is changed.
    """
    from cambrian.archive.transfer.check import check as look

    shared = ctx.ensure_object(Shared)
    with shared.reading() as archive:
        problems = look(archive, identity=identity)
    if as_json:
        show_list([{"kind": problem.kind, "detail": problem.detail} for problem in problems])
    else:
        for problem in problems:
            say(f"{problem.kind}: {line(problem.detail)}")
        note(f"{len(problems)} problems" if problems else "nothing is wrong")
    if problems:
        ctx.exit(1)


def identity(files: Mapping[str, str]) -> str:
    """The id of a source tree; InvalidAgent for one that breaks the rules."""
    from cambrian.agents.tree import SourceTree

    return SourceTree(files).identity


@db.command(epilog=examples("cambrian db lineage", "git -C ARCHIVE/lineage.git log --graph --all"))
@json_option
@common
@click.pass_obj
def lineage(shared: Shared, as_json: bool) -> None:
    """Rebuild the git lineage from the database, and print its path.

    It is a projection for people and tools: `git log --graph --all` is the tree, `git diff` a
    rewrite. Refused while a run holds the archive.
    """
    from cambrian.archive import Archive
    from cambrian.archive.lineage.lineage import Lineage

    with Archive.open(shared.archive) as archive, archive.lock():
        projection = Lineage(archive)
        written = projection.rebuild()
    if as_json:
        show_json({"path": str(projection.path), "commits": written})
        return
    note(f"{written} commits")
    say(str(projection.path))


@db.command(epilog=examples("cambrian db backup /mnt/backups/archive-monday"))
@click.argument("destination", type=click.Path(path_type=Path))
@json_option
@common
@click.pass_obj
def backup(shared: Shared, destination: Path, as_json: bool) -> None:
    """Copy the archive to DESTINATION, a new or empty directory; a run may continue meanwhile.

    The copy is an archive itself: database and git lineage as one consistent pair, and the
    control's with it. It appears under its name when it is whole.
    """
    from cambrian.archive.transfer.backup import backup as copy

    with shared.reading() as archive:
        made = copy(archive, destination)
    if as_json:
        sizes = {"agents": made.agents, "commits": made.commits, "bytes": made.size}
        show_json({"path": str(made.path), **sizes})
        return
    note(f"{made.agents} agents, {made.commits} commits, {_size(made.size)}")
    say(str(made.path))


@db.command(epilog=examples("cambrian db restore /mnt/backups/archive-monday"))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Move an archive that is there aside first.")
@json_option
@common
@click.pass_obj
def restore(shared: Shared, source: Path, force: bool, as_json: bool) -> None:
    """Put the backup SOURCE in the archive's place.

    What was backed up is checked first. An archive that is there is never deleted: with --force it
    is moved aside.
    """
    from cambrian.archive.transfer.backup import restore as put_back

    aside = put_back(source, shared.archive, force=force)
    if as_json:
        show_json({"path": str(shared.archive), "moved_aside": aside and str(aside)})
        return
    if aside is not None:
        note(f"what was there is now {aside}")
    say(str(shared.archive))


@db.command(epilog=examples("cambrian db migrate"))
@json_option
@common
@click.pass_obj
def migrate(shared: Shared, as_json: bool) -> None:
    """Bring an archive of an older Cambrian up to date, with a backup of its database first.

    `cambrian run` does the same by itself. An archive of a newer Cambrian is refused.
    """
    from cambrian.archive import Archive
    from cambrian.archive.schema import schema
    from cambrian.archive.store import waiting

    before = waiting(shared.archive)
    with Archive.open(shared.archive) as archive:
        applied = schema.applied(archive.database)[-len(before) :] if before else []
        kept = archive.path / f"archive.db.before-{before[0]}" if before else None
    if as_json:
        show_json({"applied": applied, "backup": kept and str(kept)})
    elif kept is None:
        note("up to date already")
    else:
        note(f"applied {', '.join(applied)}; the database as it was is")
        say(str(kept))


@db.command(epilog=examples("cambrian db compact"))
@json_option
@common
@click.pass_obj
def compact(shared: Shared, as_json: bool) -> None:
    """Make the archive smaller: free pages, the write-ahead log, git's packs and refs.

    Needs as much free space as the database takes. Refused while a run holds the archive.
    """
    from cambrian.archive import Archive
    from cambrian.archive.transfer.backup import compact as shrink

    with Archive.open(shared.archive) as archive, archive.lock():
        done = shrink(archive)
    if as_json:
        show_json({"bytes_before": done.before, "bytes_after": done.after})
    else:
        say(f"{_size(done.before)} before, {_size(done.after)} after")


def _size(count: int) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 10_000:
            return f"{count} {unit}"
        count //= 1000
    return f"{count} GB"
