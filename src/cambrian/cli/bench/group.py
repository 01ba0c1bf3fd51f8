"""`cambrian bench`: what agents are judged by."""

from __future__ import annotations

from typing import Any

import click

from cambrian.cli.bench.check import check
from cambrian.cli.bench.new import new
from cambrian.cli.bench.recompute import recompute
from cambrian.cli.bench.rescore import rescore
from cambrian.cli.context import common, examples, json_option
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_list, show_table
from cambrian.cli.render.text import number, quantity
from cambrian.cli.run.seal import seal
from cambrian.reports.benchmarks import (
    describe_benchmark,
    describe_draws,
    describe_source,
    describe_suite,
)


@click.group()
def bench() -> None:
    """Show the benchmarks: their cards, and what 0 and 1 stand for; check one of your own."""


for command in (new, check, recompute, rescore, seal):
    bench.add_command(command)


@bench.command("list", epilog=examples("cambrian bench list"))
@json_option
@common
def list_benchmarks(as_json: bool) -> None:
    """List the benchmarks with floor, ceiling, allowances and stages.

    Floor and ceiling are raw scores (accuracies from 0 to 1); a learner may spend at most the
    allowed floating point operations and bytes of state on one seed.
    """
    from cambrian.evaluators.benchmarks import names

    items = [describe_benchmark(name) for name in names()]
    if as_json:
        show_list(items)
        return
    headers = ["benchmark", "version", "used by", "floor", "ceiling", "FLOP", "state"]
    show_table(headers, [_row(item) for item in items])
    say()
    for stage, seeds in items[0]["stages"].items():
        say(f"stage {stage}: seeds {', '.join(map(str, seeds))}")


@bench.command("suites", epilog=examples("cambrian bench suites"))
@json_option
@common
def list_suites(as_json: bool) -> None:
    """List the named suites: families, what each counts for, and what is sealed.

    A family draws a stream from its seed: seed 3 is the same set of streams for every agent.
    """
    from cambrian.evaluators.suites import suite_names

    items = [describe_suite(name) for name in suite_names()]
    if as_json:
        show_list(items)
        return
    for item in items:
        cost = f"about {item['cpu_s']:.1f} CPU s each for experience replay"
        heading(f"{item['name']}: {item['seeds']} seeds, {cost}")
        rows = [[e["benchmark"], e["version"], number(e["weight"])] for e in item["benchmarks"]]
        show_table(["family", "version", "weight"], rows)
        say(f"sealed: {', '.join(item['sealed'])}")


@bench.command(epilog=examples("cambrian bench show label-drift"))
@click.argument("name")
@click.option("--seed", type=click.IntRange(min=0), help="Show what this seed of a family draws.")
@click.option("--sealed", is_flag=True, help="Of --seed: what it draws in sealed runs.")
@json_option
@common
def show(name: str, seed: int | None, sealed: bool, as_json: bool) -> None:
    """Show the card of the benchmark NAME: task, data, what is hidden, known shortcuts.

    NAME may be a file with a benchmark of your own (mine.py).
    """
    from cambrian.evaluators.plugins import named

    if seed is not None:
        _show_draws(describe_draws(named(name), "sealed" if sealed else "full", seed), as_json)
        return
    found = describe_benchmark(named(name))
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


def _show_draws(found: dict[str, Any], as_json: bool) -> None:
    """What one seed of a family draws, and its scale."""
    if as_json:
        show_json(found)
        return
    show_fields({"name": found["name"], "version": found["version"], "seed": found["seed"]})
    heading("Drawn")
    show_fields(dict(found["draws"]) or {"": "the same stream for all seeds"})
    heading("Measured")
    show_fields({name: found[name] and number(found[name]) for name in ("floor", "ceiling")})


def _end(found: dict[str, Any], name: str) -> str | None:
    """A raw score, and how it was found."""
    how = found["details"].get(name)
    return None if found[name] is None else number(found[name]) + (f": {how}" if how else "")


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
