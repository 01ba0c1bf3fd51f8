"""`cambrian plot`: pictures of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cambrian.cli.context import Shared, common, examples, json_option, reading_control
from cambrian.cli.render.output import heading, say, show_json, show_table
from cambrian.cli.render.text import interval
from cambrian.errors import CambrianError, UsageError

if TYPE_CHECKING:
    from cambrian.reports.scores.experts import ExpertVector
    from cambrian.reports.scores.vectors import ScoreVector, VectorReport

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
    target = _picture(output or shared.archive / "progress.png")
    with shared.reading() as archive, reading_control(shared.archive) as control:
        # Imported late: matplotlib takes a second.
        from cambrian.cli.render.picture import draw_progress

        try:
            draw_progress(target, archive, control)
        except OSError as error:
            raise CambrianError(f"cannot write {target}: {error.strerror}") from error
    say(str(target))


def _picture(target: Path) -> Path:
    if target.suffix.lower() not in FORMATS:
        raise UsageError(f"expected a file that ends in {' or '.join(FORMATS)}, got {target}")
    return target


@plot.command(
    epilog=examples(
        "cambrian plot families",
        "cambrian plot families --agents @best^,3fa9c1 --output families.png",
        "cambrian plot families --format table",
    )
)
@click.option(
    "--output",
    "--out",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .svg or .png file. [default: families.svg in the archive]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["picture", "table"]),
    default="picture",
    show_default=True,
    help="Draw a picture, or print a table.",
)
@click.option("--agents", metavar="ID,...", help="Show these agents too, separated by commas.")
@click.option("--experts", is_flag=True, help="Show the expert learners too.")
@click.option("--suite", metavar="SUITE", help="Name or first digits of the hash of another suite.")
@json_option
@common
@click.pass_obj
def families(
    shared: Shared,
    output: Path | None,
    form: str,
    agents: str | None,
    experts: bool,
    suite: str | None,
    as_json: bool,
) -> None:
    """Plot score vectors: champion and seed agents on each family of the suite, with intervals.

    One row for each family or single benchmark of the current suite; under a line its sealed
    streams, if sealed data was used for one of these agents already (`cambrian bench seal`): a plot
    never uses it. Scores are normalised (0 the floor, 1 the ceiling); an agent's interval is over
    the seeds, each of which draws another stream; where a suite has few seeds of many families,
    their spread is pooled over families. --experts adds the learners that were written by hand, as
    they were measured once. Prints the path of the picture.
    """
    if output is not None and (as_json or form == "table"):
        raise UsageError("--output is for a picture: leave it out with --json or --format table")
    target = _picture(output or shared.archive / "families.svg")
    from cambrian.reports.scores.vectors import vectors
    from cambrian.reports.suites import find

    with shared.reading() as archive:
        asked = [part.strip() for part in (agents or "").split(",") if part.strip()]
        named = [archive.resolve(reference) for reference in asked]
        report = vectors(archive, find(archive, suite), named, experts=experts)
    if as_json:
        show_json(report.to_json())
    elif form == "table":
        _show_vectors(report)
    else:
        _draw(target, report)


def _draw(target: Path, report: VectorReport) -> None:
    # Imported late: matplotlib takes a second.
    from cambrian.cli.render.vectors import draw_vectors

    try:
        draw_vectors(target, report)
    except OSError as error:
        raise CambrianError(f"cannot write {target}: {error.strerror}") from error
    say(str(target))


def _show_vectors(report: VectorReport) -> None:
    """Families down, agents across."""
    heading(report.title)
    shown: list[ScoreVector | ExpertVector] = [*report.vectors, *report.experts]
    headers = ["family", "version", *(_who(vector) for vector in shown)]
    for name, entries in (("", report.search), ("Sealed: no search saw these", report.sealed)):
        if name and entries:
            heading(name)
        if entries:
            rows = [
                [e.benchmark, e.version, *(_cell(vector, e.benchmark) for vector in shown)]
                for e in entries
            ]
            show_table(headers, rows)


def _who(vector: ScoreVector | ExpertVector) -> str:
    if vector.role == "expert":
        return f"expert {vector.name}"
    star = "* " if vector.role == "champion" else ""
    return f"{star}#{vector.agent.number} {vector.agent.title[:30]}"


def _cell(vector: ScoreVector | ExpertVector, name: str) -> str:
    found = vector.scores.get(name)
    if found is None:
        return "failed" if name in vector.failed else "-"
    return interval(found.mean, found.lower, found.upper)
