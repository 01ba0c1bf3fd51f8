"""`cambrian db`: the archive's own health, and its git lineage."""

from __future__ import annotations

from collections.abc import Mapping

import click

from cambrian.cli.output import note, say, show_json, show_list
from cambrian.cli.shared import Shared, common, examples, json_option
from cambrian.cli.text import line


@click.group()
def db() -> None:
    """Check the archive, or make its git lineage anew."""


@db.command(epilog=examples("cambrian db check"))
@json_option
@common
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check everything that the archive promises about itself.

    The file's integrity, counts, code against ids, decisions against events, the git lineage.
    Exit code 1 if something is wrong. Nothing is changed.
    """
    from cambrian.archive.check import check as look

    shared = ctx.ensure_object(Shared)
    with shared.reading() as archive:
        problems = look(archive, identity=_identity)
    if as_json:
        show_list([{"kind": problem.kind, "detail": problem.detail} for problem in problems])
    else:
        for problem in problems:
            say(f"{problem.kind}: {line(problem.detail)}")
        note(f"{len(problems)} problems" if problems else "nothing is wrong")
    if problems:
        ctx.exit(1)


def _identity(files: Mapping[str, str]) -> str:
    from cambrian.agents.tree import SourceTree

    return SourceTree(files).identity


@db.command(epilog=examples("cambrian db lineage", "git -C ARCHIVE/lineage.git log --graph --all"))
@json_option
@common
@click.pass_obj
def lineage(shared: Shared, as_json: bool) -> None:
    """Make the git lineage anew from the database, and print its path.

    It is a projection for people and tools: `git log --graph --all` is the tree, `git diff` a
    rewrite. Refused while a run holds the archive.
    """
    from cambrian.archive import Archive
    from cambrian.archive.lineage import Lineage

    with Archive.open(shared.archive) as archive, archive.lock():
        projection = Lineage(archive)
        written = projection.rebuild()
    if as_json:
        show_json({"path": str(projection.path), "commits": written})
        return
    note(f"{written} commits")
    say(str(projection.path))
