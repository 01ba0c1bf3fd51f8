"""`cambrian solve`: from a table to a learner."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.bench.new import planned, table_options, write
from cambrian.cli.context import (
    INTERRUPTED,
    common,
    examples,
    json_option,
    sandbox_option,
    workers_option,
)
from cambrian.cli.render.output import note, show_json
from cambrian.cli.render.text import duration

if TYPE_CHECKING:
    from cambrian.sandbox.backends.process import Backend
    from cambrian.solving.budget import Estimate
    from cambrian.solving.home import Home, Progress
    from cambrian.solving.judging import Figure


@click.command(
    epilog=examples(
        "cambrian solve sales.csv --label bought --order day --minutes 10",
        "cambrian solve wine.csv --label vineyard --minutes 3 --from ./archive -o wine",
        "cambrian solve load.csv --label load --order hour --kind regression --minutes 30",
    )
)
@table_options
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.1, max=1e5),
    required=True,
    metavar="M",
    help="How long it may take in all.",
)
@click.option(
    "--from",
    "sources",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="ARCHIVE",
    help="Begin with the champion of this archive too, and its best members that are made of other "
    "parts; may be given again.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where everything is kept; new, empty or of the same question.  [default: the "
    "table's name with -solved]",
)
@workers_option
@sandbox_option
@json_option
@common
@click.pass_context
def solve(
    ctx: click.Context,
    /,
    table: Path,
    label: str,
    order: str,
    kind: str,
    domain: str,
    minutes: float,
    sources: tuple[Path, ...],
    output: Path | None,
    workers: int,
    sandbox: str,
    as_json: bool,
) -> None:
    """Find a learner for the table in FILE.csv, and say whether it is worth it.

    Writes the table's benchmark (as `cambrian bench new`), judges what one would take without a
    search (river's and scikit-learn's usual choices, naive guesses), searches from the seed agents
    and the champions of --from, judges the champion on rows that the search never saw, and packs
    it. All are judged by one protocol on the same rows in the same order; where a usual choice
    is better, it says so.

    Ctrl-C ends it and reports what there is; the same command goes on from there, with more
    --minutes for longer.
    """
    from cambrian.sandbox.backends.registry import choose
    from cambrian.solving.home import keep_solution, open_home
    from cambrian.solving.solution import pack, solution

    began = time.monotonic()
    asked = _asked(table, label, order, kind, domain, sources)
    backend = choose(sandbox, announce=note)
    folder = output or table.with_name(f"{table.stem}-solved")
    home = open_home(folder, table, asked, minutes)
    bench = _benchmark(home, asked, sandbox)
    state = _begun(home, sources)
    expected = _expected(home, bench, state, began, workers)
    figures = _judged(home, bench, state, expected, workers)
    if state.search_s is None:
        left = 60 * minutes - (time.monotonic() - began) - expected.after
        state = replace(state, search_s=round(max(left, 1.0), 1))
        home.keep(state)
    finished = _searched(home, bench.name, state, expected.under_way, workers, backend)
    found = solution(home, bench, state, figures, sealed=finished)
    if finished:
        found["package"] = pack(home, backend)
        found["seconds"] = round(time.monotonic() - began, 1)
    keep_solution(home, found)
    if as_json:
        show_json({"directory": str(folder), **found})
    else:
        from cambrian.cli.render.solution import show_solution

        show_solution(found, folder)
    if not finished:
        note("stopped before its end: the same command goes on from here")
        ctx.exit(INTERRUPTED)


def _asked(
    table: Path, label: str, order: str, kind: str, domain: str, sources: tuple[Path, ...]
) -> dict[str, str]:
    """The question, looked at before anything is written."""
    from cambrian.archive import Archive

    planned(table, label, kind, order, domain)
    for source in sources:
        Archive.open(source, read_only=True).close()
    found = ", ".join(str(source.resolve()) for source in sources)
    return {"label": label, "order": order, "kind": kind, "domain": domain, "from": found}


def _benchmark(home: Home, asked: dict[str, str], sandbox: str) -> Any:
    """The benchmark of the table, written and measured if it was not yet."""
    from cambrian.evaluators import calibration, plugins

    file = home.benchmark
    measured = file.with_name(f"{file.stem.replace('_', '-')}-1.json")
    if not measured.is_file():
        file.unlink(missing_ok=True)
        made, _ = write(
            home.table,
            file,
            asked["label"],
            asked["kind"],
            asked["order"],
            asked["domain"],
            sandbox,
        )
        for told in made.notes:
            note(told)
    bench = plugins.load(file)
    calibration.calibration(bench)
    return bench


def _begun(home: Home, sources: tuple[Path, ...]) -> Progress:
    """The archive, with the guests that were asked for."""
    from cambrian.solving.home import progress
    from cambrian.solving.search import begin

    state = progress(home)
    if state.guests is not None:
        return state
    guests = begin(home.archive, sources)
    for guest in guests:
        note(f"guest: {guest.title}{f': not taken, {guest.reason}' if guest.reason else ''}")
    state = replace(state, guests=[asdict(guest) for guest in guests])
    home.keep(state)
    return state


def _expected(home: Home, bench: Any, state: Progress, began: float, workers: int) -> Estimate:
    """What it is going to take, which is said before it begins."""
    from cambrian.solving.budget import estimate

    guests = sum(not guest["reason"] for guest in state.guests or ())
    left = 60 * state.minutes - (time.monotonic() - began)
    expected = estimate(bench, left, workers, guests)
    first = state.search_s is None
    if first:
        expected.require_enough()
    for row in _plan(state, expected, home.folder, first):
        note(row)
    return expected


def _judged(
    home: Home, bench: Any, state: Progress, expected: Estimate, workers: int
) -> list[Figure]:
    """The usual choices on the sealed rows, in their share of the time; in all of it where the
    search has had its own."""
    from cambrian.solving.baselines import baselines
    from cambrian.solving.judging import judge_all
    from cambrian.solving.search import is_over

    over = state.search_s is not None and is_over(home.archive, state.search_s)
    seconds = expected.whole if over else expected.baselines
    titles = {name: one.title for name, one in baselines(not bench.plan.classes).items()}

    def tell(figure: Figure) -> None:
        if figure.reason:
            note(f"{titles[figure.name]}, seed {figure.seed}: {figure.reason}")
        elif figure.name == list(titles)[-1]:
            note(f"the usual choices were judged with seed {figure.seed}")

    return judge_all(home.benchmark, list(titles), home.baselines, seconds, tell, workers=workers)


def _plan(state: Progress, expected: Estimate, folder: Path, first: bool) -> Iterator[str]:
    if not first:
        yield f"going on in {folder}: {duration(state.search_s or 0.0)} of search in all"
        return
    yield f"directory: {folder}"
    yield (
        f"this takes at most about {duration(expected.whole)} more: up to "
        f"{duration(expected.baselines)} for the usual choices, {duration(expected.judging)} for "
        f"the agents that the search begins with, {duration(max(expected.search, 0.0))} or more "
        f"for variants, {duration(expected.after)} for what is under way then, the sealed rows and "
        "the package"
    )


def _searched(
    home: Home, name: str, state: Progress, grace_s: float, workers: int, backend: Backend
) -> bool:
    """Search, then judge on the sealed rows; False if it was stopped before."""
    from cambrian.cli.run.progress import ProgressReporter
    from cambrian.solving.search import seal, search

    sandbox: Any = backend.name
    with ProgressReporter(home.archive) as tell:
        went_on = search(
            home.archive,
            name,
            state.search_s or 1.0,
            tell,
            grace_s=grace_s,
            workers=workers,
            sandbox=sandbox,
        )
        if not went_on:
            return False
        try:
            seal(home.archive, name, tell, workers=workers, sandbox=sandbox)
        except KeyboardInterrupt:
            return False
    return True
