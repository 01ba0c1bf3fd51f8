"""`cambrian bench`: what agents are judged by."""

from __future__ import annotations

from typing import Any

import click

from cambrian.cli.bench.check import check
from cambrian.cli.bench.recompute import recompute
from cambrian.cli.context import common, examples, json_option
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_list, show_table
from cambrian.cli.render.text import number, quantity
from cambrian.cli.run.seal import seal
from cambrian.reports.benchmarks import describe_benchmark, describe_source


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

    items = [describe_benchmark(name) for name in names()]
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
