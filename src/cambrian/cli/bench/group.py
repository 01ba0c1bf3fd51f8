"""`cambrian bench`: what agents are judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.bench.check import check
from cambrian.cli.bench.recompute import recompute
from cambrian.cli.context import common, examples, json_option
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_list, show_table
from cambrian.cli.render.text import number, quantity
from cambrian.cli.run.seal import seal
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.evaluators.benchmarks import Benchmark


@click.group()
def bench() -> None:
    """Show the benchmarks: their cards, and what 0 and 1 stand for; check one of your own."""


bench.add_command(check)


bench.add_command(recompute)
bench.add_command(seal)


@bench.command("list", epilog=examples("cambrian bench list"))
@json_option
@common
def list_benchmarks(as_json: bool) -> None:
    """List the benchmarks with floor, ceiling, allowances and stages.

    Floor and ceiling are raw scores (accuracies from 0 to 1); a learner may spend at most the
    allowed floating point operations and bytes of state on one seed.
    """
    from cambrian.evaluators.benchmarks import names

    items = [describe(name) for name in names()]
    if as_json:
        show_list(items)
        return
    headers = ["benchmark", "version", "used by", "floor", "ceiling", "FLOP", "state"]
    show_table(headers, [_row(item) for item in items])
    say()
    for stage, seeds in items[0]["stages"].items():
        say(f"stage {stage}: seeds {', '.join(map(str, seeds))}")


@bench.command(epilog=examples("cambrian bench show label-drift"))
@click.argument("name")
@json_option
@common
def show(name: str, as_json: bool) -> None:
    """Show the card of the benchmark NAME: task, data, what is hidden, known shortcuts.

    NAME may be a file with a benchmark of your own (mine.py).
    """
    from cambrian.evaluators.plugins import named

    found = describe(named(name))
    if as_json:
        show_json(found)
        return
    show_fields({key: found[key] for key in ("name", "version", "used_by")})
    for title, text in found["card"].items():
        heading(title.capitalize())
        say(click.wrap_text(text, 88))
    heading("Measured")
    show_fields(
        {
            **{name: _end(found, name) for name in ("floor", "ceiling")},
            "FLOP allowed": quantity(found["flops_allowed"]),
            "state allowed": quantity(found["state_bytes_allowed"], "B"),
            f"{found['reference']} takes": (
                None if found["cpu_s"] is None else f"{found['cpu_s']:g} CPU s a seed"
            ),
            **{
                f"stage {stage}": None if cost is None else f"about {cost:.2g} CPU s"
                for stage, cost in found["stage_cpu_s"].items()
            },
            "close because": found["close"] or None,
            "lacks": ", ".join(found["lacks"]) or None,
            **{k: v for k, v in found["details"].items() if k not in ("floor", "ceiling")},
        }
    )
    if found["floor"] is None:
        say("not calibrated: scores cannot be normalised yet (tools/calibrate.py, in a checkout)")


@bench.command("data", epilog=examples("cambrian bench data"))
@json_option
@common
def list_data(as_json: bool) -> None:
    """List the data that benchmarks use: what it is, its licence, and whether it is here.

    Nothing is ever downloaded by Cambrian: data comes inside installed packages, and what is slow
    to read is kept in the user's cache folder.
    """
    from cambrian.evaluators.data import SOURCES, cache

    items = [describe_source(name) for name in SOURCES]
    if as_json:
        show_list(items)
        return
    headers = ["data", "here", "what it is", "from", "licence"]
    keys = ("name", "holds", "origin", "licence")
    rows = [[item[key] for key in keys] for item in items]
    for row, item in zip(rows, items, strict=True):
        row.insert(1, "yes" if item["present"] else "no")
    show_table(headers, rows)
    say()
    for item in items:
        if not item["present"]:
            say(f"{item['name']} is missing: {item['get']}")
            say(f"  without it: {', '.join(item['benchmarks']) or 'no benchmark is left out'}")
    say(f"cache: {cache.folder()}")


def describe_source(name: str) -> dict[str, Any]:
    """A data source, whether it is here, and the benchmarks that cannot do without it.

    Raises:
        NotFound: there is no such source.
    """
    from cambrian.evaluators.benchmarks import benchmark, names
    from cambrian.evaluators.data import source

    found = source(name)
    return {
        "name": found.name,
        "present": found.present(),
        "holds": found.holds,
        "origin": found.origin,
        "licence": found.licence,
        "get": found.get,
        "benchmarks": [b for b in names() if name in benchmark(b).needs],
    }


def _end(found: dict[str, Any], name: str) -> str | None:
    """A raw score, and how it was found."""
    how = found["details"].get(name)
    return None if found[name] is None else number(found[name]) + (f": {how}" if how else "")


def describe(name: str) -> dict[str, Any]:
    """A benchmark with its calibration, as JSON; numbers are None where it was never calibrated.

    Raises:
        NotFound: there is no such benchmark.
    """
    from cambrian.evaluators.benchmarks import STAGES, benchmark, missing
    from cambrian.evaluators.calibration import ALLOWANCE, calibration

    found = benchmark(name)
    try:
        measure = calibration(found)
    except UsageError:
        measure = None
    stages = ("sealed",) if found.sealed_only else tuple(STAGES)
    return {
        "name": found.name,
        "version": found.version,
        "sealed_only": found.sealed_only,
        "used_by": _used_by(found),
        "card": dict(vars(found.card)),
        "stages": {stage: list(STAGES[stage]) for stage in stages},
        "floor": measure and measure.floor,
        "ceiling": measure and measure.ceiling,
        "flops_allowed": measure and ALLOWANCE * measure.flops,
        "state_bytes_allowed": measure and ALLOWANCE * measure.state_bytes,
        "reference": found.reference,
        "cpu_s": measure and measure.cpu_s,
        "stage_cpu_s": {
            stage: measure and round(measure.cpu_s * len(STAGES[stage]) * _share(found, stage), 3)
            for stage in stages
        },
        "close": found.bounds.close,
        "lacks": [source.name for source in missing(found)],
        "details": measure.details if measure else {},
    }


def _used_by(found: Benchmark) -> str:
    from cambrian.evaluators.benchmarks import DEFAULT

    if found.sealed_only:
        return "sealed runs only"
    return "every search" if found.name in DEFAULT else "searches that name it"


def _share(found: Benchmark, stage: str) -> float:
    """How much of a full seed a stage's seed takes, by the samples that it says it has."""
    if stage != "smoke":
        return 1.0
    full = found.stream("full").observations
    return found.stream("smoke").observations / full if full else 0.1


def _row(item: dict[str, Any]) -> list[str]:
    return [
        item["name"],
        item["version"],
        item["used_by"],
        number(item["floor"]),
        number(item["ceiling"]),
        quantity(item["flops_allowed"]),
        quantity(item["state_bytes_allowed"], "B"),
    ]
