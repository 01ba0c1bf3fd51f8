"""`cambrian report`: an archive as one file to send to somebody."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cambrian.cli.context import Shared, common, examples
from cambrian.cli.render.output import note
from cambrian.errors import UsageError
from cambrian.text import finite

ENDINGS = (".html", ".json")


@click.command(
    epilog=examples("cambrian report -o run.html", "cambrian report -o run.json other-archive")
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file to write; its ending, .html or .json, says how.",
)
@click.argument("chosen", metavar="[ARCHIVE]", required=False, type=click.Path(path_type=Path))
@common
@click.pass_obj
def report(shared: Shared, output: Path, chosen: Path | None) -> None:
    """Write what was run and what came of it into one file.

    The HTML file loads nothing, runs nothing and can be printed: counts, the champion and its
    lineage with diffs, sealed scores beside the seed agents, null controls, costs, and how to
    repeat it. A run may continue meanwhile.
    """
    if output.suffix not in ENDINGS:
        raise UsageError(
            f"expected a file that ends with {' or '.join(ENDINGS)}, got {output.name!r}"
        )
    if not output.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {output.parent}; make it first")
    shared.archive = chosen or shared.archive
    from cambrian.web import report as made

    with shared.reading() as opened:
        if output.suffix == ".json":
            text = json.dumps(finite(made.content(opened)), indent=2, allow_nan=False) + "\n"
        else:
            text = made.html(opened)
    output.write_text(text, encoding="utf-8")
    note(f"wrote {output} ({len(text.encode()) / 1000:.0f} kB)")
