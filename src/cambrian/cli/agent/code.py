"""`cambrian agent diff` and `cambrian agent code`: what was rewritten, and the code itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import note, say, show_json
from cambrian.cli.render.text import block, line, short
from cambrian.errors import UsageError
from cambrian.reports.agent.code import files_of, rewrite

_COLORS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(epilog=examples("cambrian agent diff @best", "cambrian agent diff @root @best"))
@click.argument("agent_id", metavar="ID")
@click.argument("other", required=False)
@json_option
@common
@click.pass_obj
def diff(shared: Shared, agent_id: str, other: str | None, as_json: bool) -> None:
    """Show what was rewritten: a unified diff from the parent of ID to ID.

    With OTHER, from ID to OTHER.
    """
    with shared.reading() as archive:
        found = rewrite(archive, agent_id, other)
    if as_json:
        show_json({"from": found.before, "to": found.after, "diff": found.text})
        return
    same = "" if found.text else ": the same code"
    note(f"from {short(found.before)} to {short(found.after)}{same}")
    for row in block(found.text).splitlines():
        header = row.startswith(("+++ ", "--- "))
        say(click.style(row, bold=True) if header else click.style(row, fg=_COLORS.get(row[:1])))


@click.command(
    epilog=examples(
        "cambrian agent code @best learner.py", "cambrian agent code @best --output ./champion"
    )
)
@click.argument("agent_id", metavar="ID")
@click.argument("path", required=False)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the tree into this directory, which must be new or empty, byte for byte.",
)
@json_option
@common
@click.pass_obj
def code(
    shared: Shared, agent_id: str, path: str | None, output: Path | None, as_json: bool
) -> None:
    """Print the code of the agent ID: all of it, or the file PATH.

    What is printed is made safe for a terminal (control characters are spelt out); --output and
    --json give it as it is. It was written by a program: read it before you run it.
    """
    with shared.reading() as archive:
        agent = archive.resolve(agent_id)
        files = files_of(archive, agent, path)
    if output is not None:
        write_tree(files, output)
        say(str(output))
    elif as_json:
        show_json({"id": agent, "files": files})
    else:
        for name, text in files.items():
            if path is None:
                say(f"==> {line(name)} <==")
            say(block(text).removesuffix("\n"))


def write_tree(files: Mapping[str, str], folder: Path) -> None:
    """Write a source tree into a new or empty folder.

    Raises:
        UsageError: there is something already, or a path leads out of the folder.
    """
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UsageError(f"expected plain relative paths; the tree holds {name!r}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"expected {folder} to be new or empty; choose another directory")
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
