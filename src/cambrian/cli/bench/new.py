"""`cambrian bench new`: a table of your own as a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from cambrian.cli.bench.check import means
from cambrian.cli.context import Command, common, examples, json_option, sandbox_option
from cambrian.cli.render.output import note, say, show_json
from cambrian.errors import Refused, UsageError

if TYPE_CHECKING:
    from cambrian.evaluators.calibration import Calibration
    from cambrian.tables.plan import Kind
    from cambrian.tables.planning import Made

KINDS = ("drift", "class-incremental", "domain", "regression")

_TABLE: tuple[Callable[[Any], Any], ...] = (
    click.argument("table", metavar="FILE.csv", type=click.Path(path_type=Path)),
    click.option("--label", required=True, metavar="COLUMN", help="The column to be predicted."),
    click.option(
        "--order",
        default="",
        metavar="COLUMN",
        help="Numbers or dates that say which row comes first; the file's own order without it.",
    ),
    click.option(
        "--kind",
        type=click.Choice(KINDS),
        default="drift",
        show_default=True,
        help="drift and regression: rows in their order, predicted and then told; "
        "class-incremental: one class after the other; domain: one value of --domain after the "
        "other.",
    ),
    click.option(
        "--domain", default="", metavar="COLUMN", help="Of --kind domain: what tasks are by."
    ),
)


def table_options(command: Command) -> Command:
    """Which table, and what is asked of it."""
    for option in reversed(_TABLE):
        command = option(command)
    return command


@click.command(
    "new",
    epilog=examples(
        "cambrian bench new sales.csv --label bought --order day -o sales.py",
        "cambrian bench new wine.csv --label vineyard --kind class-incremental -o wine.py",
        "cambrian bench new plant.csv --label fault --kind domain --domain machine -o plant.py",
    ),
)
@table_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE.py",
    help="The benchmark, beside its table; nothing is overwritten.",
)
@click.option(
    "--measure/--no-measure",
    default=True,
    show_default=True,
    help="Check it and measure its costs in a sandbox, so that it is ready for a search.",
)
@sandbox_option
@json_option
@common
def new(
    table: Path,
    label: str,
    order: str,
    kind: str,
    domain: str,
    output: Path,
    measure: bool,
    sandbox: str,
    as_json: bool,
) -> None:
    """Write the table in FILE.csv as a benchmark of your own.

    Numbers, dates and categories are taken; missing cells, a byte order mark, semicolons and
    constant columns are dealt with, and the card says how. What cannot be used is refused with its
    line and column. Means and deviations are of the first fifth of the rows alone, and the last two
    fifths are sealed. 0 is a constant guess (of regression, the last label that was told) and 1 no
    error.
    """
    made, written = write(table, output, label, kind, order, domain, sandbox, measure=measure)
    if as_json:
        notes = list(made.notes)
        show_json({"file": str(output), "rows": made.rows, "notes": notes, "calibration": written})
        return
    for told in made.notes:
        note(told)
    say(str(output))
    note(
        f"now: cambrian run --benchmarks {output}"
        if measure
        else f"now: cambrian bench check {output} --dry"
    )


def write(
    table: Path,
    output: Path,
    label: str,
    kind: str,
    order: str,
    domain: str,
    sandbox: str,
    *,
    measure: bool = True,
) -> tuple[Made, str | None]:
    """Write a table's benchmark, and measure its costs; the file with these, where they were.

    Raises:
        UsageError: the table cannot be used, or `output` is there. Refused: it breaks a promise.
    """
    from cambrian.tables.writing import benchmark_file

    made, chosen = planned(table, label, kind, order, domain)
    text = benchmark_file(table, output, made, chosen)
    if output.exists():
        raise UsageError(f"{output} is there already: choose another name")
    output.write_text(text, encoding="utf-8")
    try:
        return made, _measured(output, sandbox) if measure else None
    except BaseException:  # Ctrl-C too: the same command has to work once more
        output.unlink(missing_ok=True)
        raise


def planned(table: Path, label: str, kind: str, order: str, domain: str) -> tuple[Made, Kind]:
    """What a table is going to be made into; nothing is written.

    Raises:
        NotFound: no such file. UsageError: the table cannot be used.
    """
    from cambrian.tables.plan import Kind
    from cambrian.tables.planning import make_plan

    if (kind == "domain") != bool(domain):
        raise UsageError("--kind domain and --domain COLUMN go together: give both or neither")
    chosen: Kind = next(one for one in get_args(Kind) if one == kind)
    return make_plan(table, label, kind=chosen, order=order, domain=domain), chosen


def _measured(file: Path, sandbox: str) -> str:
    """Check the benchmark, and write its ends and costs beside it."""
    from cambrian.evaluators import calibration, conformance, plugins

    bench = plugins.load(file)
    for finding in conformance.check(bench):
        if not finding.kept:
            raise Refused(f"{file}: expected that {finding.promise}; {finding.said}")
    return str(calibration.keep(bench, _calibration(bench, sandbox)))


def _calibration(bench: Any, sandbox: str) -> Calibration:
    from cambrian.evaluators.calibration import Calibration
    from cambrian.sandbox.backends.registry import choose

    costs = means(choose(sandbox, announce=note), bench.reference, bench, "full", 1)
    return Calibration(
        floor=round(bench.floor(), 5),
        ceiling=1.0,
        flops=round(costs.flops),
        state_bytes=round(costs.state_bytes),
        cpu_s=round(costs.cpu_s, 2),
        details={
            "floor": bench.card.floor,
            "ceiling": "no error at all",
            "reference": bench.reference,
            f"{bench.reference} scores": round(costs.raw, 5),
        },
    )
