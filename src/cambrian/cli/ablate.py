"""`cambrian experiment ablate`: paired repeats of real searches."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import (
    INTERRUPTED,
    common,
    examples,
    json_option,
    sandbox_option,
    workers_option,
)
from cambrian.cli.names import chosen_names
from cambrian.cli.ops.config import models, prices
from cambrian.cli.render.output import note, say, show_json
from cambrian.cli.run.options import asked_of
from cambrian.errors import CambrianError

if TYPE_CHECKING:
    from cambrian.experiments.ablation import Means

BUDGET = 150


@click.command(
    epilog=examples(
        "cambrian experiment ablate --strategies dgm,greedy,random --repeats 8 --out real",
        "cambrian experiment ablate --strategies dgm,random --budget 20 --out try --resume",
        "cambrian experiment ablate --strategies dgm,random,last --rewriter model --model NAME "
        "--tokens 2000000 --out models",
    )
)
@click.option(
    "--strategies",
    default="dgm,greedy,random",
    show_default=True,
    metavar="NAMES",
    help="Strategies of selection, as for `cambrian run --selection`; random: chains of edits of "
    "seed agents, without an archive.",
)
@click.option(
    "--admission",
    "rules",
    default="as-good",
    show_default=True,
    metavar="NAMES",
    help="Rules of admission, as for `cambrian run --admission`.",
)
@click.option(
    "--budget",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help=f"Judged variants of a search. [default: {BUDGET}, where no other end is given]",
)
@click.option(
    "--cpu-seconds",
    type=click.FloatRange(min=0, min_open=True, max=1e9),
    metavar="S",
    help="Processor seconds of a search, in sandboxes; what is under way then is finished.",
)
@click.option(
    "--rewriter",
    type=click.Choice(["recombine", "model", "mixed"]),
    default="recombine",
    show_default=True,
    help="What rewrites, as for `cambrian run`. With models, random is the control that asks the "
    "same question from the seed agents, and last the one that goes on from the newest agent only.",
)
@click.option("--model", default="", metavar="NAMES", help="The models, as for `cambrian run`.")
@click.option(
    "--tokens",
    type=click.IntRange(1),
    metavar="N",
    help="Tokens that each search may use: the same for all.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 10_000),
    default=8,
    show_default=True,
    metavar="N",
    help="Searches of each, paired: repeat r has run seed r.",
)
@click.option(
    "--suite", default="continual", show_default=True, metavar="NAME", help="Judge by this suite."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the archives and the results; made where there is none.",
)
@click.option("--resume", is_flag=True, help="Go on with what is in the folder.")
@click.option("--other-code", is_flag=True, help="Go on although the code has changed.")
@workers_option
@sandbox_option
@json_option
@common
@click.pass_context
def ablate(
    ctx: click.Context,
    /,
    strategies: str,
    rules: str,
    budget: int | None,
    cpu_seconds: float | None,
    rewriter: str,
    model: str,
    tokens: int | None,
    repeats: int,
    suite: str,
    out: Path,
    resume: bool,
    other_code: bool,
    workers: int,
    sandbox: str,
    as_json: bool,
) -> None:
    """Run real searches, each an archive of its own, and compare what they find.

    Each strategy and rule runs once for each repeat. When a search has ended, its champions are run
    on sealed data (counted, as by `cambrian bench seal`) and the last one with fresh seeds. Stopped
    or killed at any time, the same command with --resume goes on where it was; --repeats,
    --strategies and --admission may then name more. `cambrian experiment show` has the report.
    """
    from cambrian.evolution.admission.thresholds import ADMISSIONS
    from cambrian.evolution.selection.selection import STRATEGIES
    from cambrian.experiments import ablation

    chosen = chosen_names(strategies, list(STRATEGIES), "strategy")
    ruled = chosen_names(rules, list(ADMISSIONS), "rule of admission")
    if budget is None and cpu_seconds is None and tokens is None:
        budget = BUDGET
    asked = asked_of({"rewriter": rewriter, "model": model}, prices(ctx), models(ctx))
    plan = ablation.Plan(suite, budget, cpu_seconds, rewriter, asked.pop("model"), tokens)
    means = _means(workers, sandbox, asked)
    wanted = ablation.cells(chosen, ruled, repeats)
    for found in ablation.ablate(plan, wanted, out, means, resume=resume, other_code=other_code):
        came = found.outcome
        note(f"{found.cell.name}: sealed {came.sealed.mean:.3f} after {came.judged} judged")
    show_ablation(out, as_json)
    done = {found.cell for found in ablation.load(out)}
    if not done.issuperset(wanted):
        note("stopped before its end: the same command with --resume continues it")
        ctx.exit(INTERRUPTED)


def _means(workers: int, sandbox: str, asked: Mapping[str, Any]) -> Means:
    """How searches are carried out here."""
    from cambrian.daemon import killswitch, supervisor
    from cambrian.evolution.runtime.process_worker import ProcessWorker
    from cambrian.evolution.settings import Settings
    from cambrian.experiments import ablation
    from cambrian.sandbox.backends.registry import choose

    backend = choose(sandbox, announce=note)

    def search(home: Path, settings: Settings) -> str:
        return supervisor.run(home, settings, note).state

    return ablation.Means(
        search,
        functools.partial(ProcessWorker, backend.name),
        note,
        workers,
        backend.name,
        lambda home: killswitch.watch(home, killswitch.interrupt),
        asked,
    )


def show_ablation(
    where: Path, as_json: bool, plots: Path | None = None, threshold: float | None = None
) -> None:
    """Tables, JSON or pictures of an ablation."""
    from cambrian.experiments import ablation
    from cambrian.experiments.contrasts import markdown, report

    results = ablation.load(where)
    left = ablation.unfinished(where) if where.is_dir() else []
    found = report(results, left, threshold)
    if len(found.codes) > 1:
        note(f"measured by {len(found.codes)} versions of the code: {', '.join(found.codes)}")
    elif found.codes and found.codes[0] != ablation.code_version():
        note("measured by other code than this: the same command may give other figures now")
    if as_json:
        show_json(found.to_json())
    else:
        say(markdown(found))
    if plots is None:
        return
    # Imported late: matplotlib takes a second.
    from cambrian.cli.render.ablation import draw_ablation

    try:
        written = draw_ablation(plots, found)
    except OSError as error:
        raise CambrianError(f"cannot write into {plots}: {error.strerror}") from error
    for one in written:
        note(str(one))
