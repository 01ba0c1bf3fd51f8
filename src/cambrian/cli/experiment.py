"""`cambrian experiment`: whether the archive pays, by simulated and by real searches."""

from __future__ import annotations

from pathlib import Path

import click

from cambrian.cli.ablate import ablate, show_ablation
from cambrian.cli.context import common, examples, json_option
from cambrian.cli.names import chosen_names
from cambrian.cli.render.output import note, say, show_json
from cambrian.cli.screening import screen
from cambrian.errors import UsageError


@click.group()
def experiment() -> None:
    """Measure strategies and rules of admission by simulated and by real searches."""


experiment.add_command(ablate)
experiment.add_command(screen)


@experiment.command(
    epilog=examples(
        "cambrian experiment simulate --landscape stones --repeats 50 --out stones",
        "cambrian experiment simulate --landscape deceptive,rugged --strategies dgm,greedy,random "
        "--budget 500 --out run --resume",
    )
)
@click.option(
    "--landscape",
    "grounds",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="smooth, deceptive, neutral, rugged, noisy, stones: some, separated by commas, or all of "
    "these; or table, the agents that were really measured.",
)
@click.option(
    "--strategies",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="Strategies of selection, as for `cambrian run --selection`, or all.",
)
@click.option(
    "--admission",
    "rules",
    default="stepping-stones",
    show_default=True,
    metavar="NAMES",
    help="Rules of admission, as for `cambrian run --admission`, or all.",
)
@click.option(
    "--budget",
    type=click.IntRange(1, 100_000),
    default=500,
    show_default=True,
    help="Proposals of a search.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="Searches of each, paired: repeat r has the same world and the same luck for all.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the results; made where there is none.",
)
@click.option("--resume", is_flag=True, help="Go on with the results in the folder.")
@json_option
@common
def simulate(
    grounds: str,
    strategies: str,
    rules: str,
    budget: int,
    repeats: int,
    out: Path,
    resume: bool,
    as_json: bool,
) -> None:
    """Run searches on landscapes whose best is known, with the selection and admission of a run.

    One core; a search of 500 proposals takes a fifth of a second. What is measured is kept after
    each 20 repeats, so that it may be stopped at any time and go on with --resume.
    """
    from cambrian.evolution.admission.thresholds import ADMISSIONS
    from cambrian.evolution.selection.selection import STRATEGIES
    from cambrian.experiments.grounds import ANALYTIC, NAMES
    from cambrian.experiments.simulate import Cell, simulate

    cells = [
        Cell(ground, strategy, rule, budget)
        for ground in (
            ANALYTIC if grounds == "all" else chosen_names(grounds, list(NAMES), "landscape")
        )
        for rule in chosen_names(rules, list(ADMISSIONS), "rule of admission")
        for strategy in chosen_names(strategies, list(STRATEGIES), "strategy")
    ]
    for block in simulate(cells, repeats, out, resume=resume):
        cell = block.cell
        note(
            f"{cell.landscape}, {cell.strategy}, {cell.admission}, {cell.budget} proposals: "
            f"repeats {block.repeats.start} to {block.repeats.stop - 1} in {block.seconds:.1f} s"
        )
    _show(out, as_json)


@experiment.command(
    epilog=examples(
        "cambrian experiment table --out table --agents 50",
        "cambrian experiment table --out table --resume",
    )
)
@click.option(
    "--agents",
    type=click.IntRange(1),
    default=3000,
    show_default=True,
    help="How many agents of the space, in the order that fills it evenly.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=2,
    show_default=True,
    help="Processes side by side, of one thread each.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the measured agents; made where there is none.",
)
@click.option("--resume", is_flag=True, help="Go on with the agents in the folder.")
@click.option(
    "--pack",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Measure nothing; write the table of the agents in the folder to FILE (.npz), with a "
    "surrogate's guess of all others.",
)
@common
def table(agents: int, workers: int, out: Path, resume: bool, pack: Path | None) -> None:
    """Measure a table of learning algorithms, on which searches can be simulated.

    Each agent is a choice of mechanisms of the catalogue on the composed agent, with levels of the
    main knobs; it runs on three families of streams with three seeds. About five processor seconds
    an agent. Each agent is kept when it is done, so that the command may be stopped at any time
    and go on with --resume.
    """
    from cambrian.experiments.tabular.measuring import rows_in, tabulate

    if pack is not None:
        from cambrian.experiments.tabular.table import card_lines, load, pack_into

        pack_into(pack, rows_in(out))
        for line in card_lines(load(pack).card):
            say(line)
        return
    for count, row in enumerate(tabulate(agents, out, workers=workers, resume=resume), start=1):
        failed = f", {len(row.causes)} streams failed" if row.causes else ""
        note(f"{count}: agent {row.genotype} in {row.cpu_s:.1f} processor seconds{failed}")


@experiment.command(
    epilog=examples(
        "cambrian experiment show stones",
        "cambrian experiment show stones --json",
        "cambrian experiment show real --plots pictures",
    )
)
@click.argument("where", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Of real searches: draw pictures (.svg) into this folder too.",
)
@click.option(
    "--threshold",
    type=float,
    metavar="X",
    help="Of real searches: the sealed score to come above. [default: the best seed agent's]",
)
@json_option
@common
def show(where: Path, plots: Path | None, threshold: float | None, as_json: bool) -> None:
    """Show the results in DIR as tables of Markdown.

    DIR is a folder of `simulate` or of `ablate`, or a file of results, which may be compressed
    (.gz). Of simulated searches the value is the champion's true one, without noise; of real ones,
    its score on sealed data and with fresh seeds. Differences have 95 % intervals, paired by
    repeat; real searches that are not over are named, and not counted.
    """
    from cambrian.experiments.ablation import is_ablation

    if is_ablation(where):
        show_ablation(where, as_json, plots, threshold)
        return
    if plots is not None or threshold is not None:
        raise UsageError(f"--plots and --threshold are of real searches; {where} has none")
    _show(where, as_json)


def _show(where: Path, as_json: bool) -> None:
    from cambrian.experiments.simulate import code_version, load
    from cambrian.experiments.summary import as_data, markdown, summaries

    blocks = load(where)
    if {block.code for block in blocks} - {code_version()}:
        note("measured by other code than this: the same command may give other figures now")
    found = summaries(blocks)
    if as_json:
        show_json({"results": [as_data(one) for one in found]})
    else:
        say(markdown(found))
