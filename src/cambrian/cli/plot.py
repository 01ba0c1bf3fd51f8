"""`cambrian plot`: pictures of a run."""

from __future__ import annotations

from pathlib import Path

import click

from cambrian.cli.context import Shared, common, examples, reading_control
from cambrian.cli.render.output import say
from cambrian.errors import CambrianError, UsageError

FORMATS = (".png", ".svg")


@click.group()
def plot() -> None:
    """Draw pictures of a run."""


@plot.command(
    epilog=examples("cambrian plot progress", "cambrian plot progress --output progress.svg")
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .png or .svg file. [default: progress.png in the archive]",
)
@common
@click.pass_obj
def progress(shared: Shared, output: Path | None) -> None:
    """Plot scores over proposals: every judged variant, and the champion's mean and lower bound.

    Scores are normalised means (0 the floor, 1 the ceiling); the control, if it was run, is drawn
    beside it. Prints the path of the picture.
    """
    target = output or shared.archive / "progress.png"
    if target.suffix.lower() not in FORMATS:
        raise UsageError(f"expected a file that ends in {' or '.join(FORMATS)}, got {target}")
    with shared.reading() as archive, reading_control(shared.archive) as control:
        # Imported late: matplotlib takes a second.
        from cambrian.cli.render.picture import draw_progress

        try:
            draw_progress(target, archive, control)
        except OSError as error:
            raise CambrianError(f"cannot write {target}: {error.strerror}") from error
    say(str(target))
