"""`cambrian suite`: what the agents of an archive are judged by."""

from __future__ import annotations

from typing import Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.gaps import show_gaps
from cambrian.cli.render.output import (
    heading,
    say,
    show_fields,
    show_json,
    show_list,
    show_table,
)
from cambrian.cli.render.text import interval, short
from cambrian.cli.render.text import number as figure


@click.group()
def suite() -> None:
    """Show the suites: the benchmarks that agents are judged by, and the best in each.

    Scores belong to an agent and a suite. `cambrian run --benchmarks` with other benchmarks, or
    with new versions of the same, opens another suite in the same archive; scores of two suites are
    never compared. `cambrian bench rescore` judges members of an older suite by the current one.
    """


@suite.command("list", epilog=examples("cambrian suite list"))
@json_option
@common
@click.pass_obj
def list_suites(shared: Shared, as_json: bool) -> None:
    """List the suites of the archive; the current one is marked with a star.

    The current suite is the one of the last run: the tree, the leaderboard and the champion are
    about its scores.
    """
    from cambrian.reports.suites import suites

    with shared.reading() as archive:
        items = suites(archive)
    if as_json:
        show_list(items)
        return
    if not items:
        say("no suite was opened here yet: `cambrian run` opens one")
        return
    headers = ["", "suite", "name", "benchmarks", "scored", "champion"]
    show_table(headers, [_row(item) for item in items])


def _row(item: dict[str, Any]) -> list[str]:
    best = item["champion"]
    return [
        "*" if item["current"] else "",
        item["hash"][:8],
        item["name"] or "-",
        ", ".join(f"{e['benchmark']} v{e['version']}" for e in item["benchmarks"]),
        str(item["scored"]),
        "-"
        if best is None
        else f"#{best['number']} {interval(best['score'], best['lower'], best['upper'])}",
    ]


@suite.command(epilog=examples("cambrian suite show", "cambrian suite show 3fa2 --limit 5"))
@click.argument("name", metavar="[SUITE]", required=False)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="Agents at most."
)
@json_option
@common
@click.pass_obj
def show(shared: Shared, name: str | None, limit: int, as_json: bool) -> None:
    """Show a suite and its best agents, benchmark by benchmark.

    SUITE is its name or the first digits of its hash; without it, the current one. Where sealed
    data was used already (`cambrian bench seal`), it also says how far each agent falls from the
    search to sealed data, and warns if the champion falls further than the seed agents do.
    """
    from cambrian.reports.suites import aggregates, gaps, leaderboard

    with shared.reading() as archive:
        told, rows = leaderboard(archive, name, limit)
        best, fallen = aggregates(archive, name), gaps(archive, name)
    if as_json:
        show_json({"suite": told, "agents": rows, "champion": best, "gaps": fallen})
        return
    _show_suite(told)
    if rows:
        _show_best(told, rows)
    if best:
        _show_aggregates(best)
    show_gaps(fallen)


def _show_suite(told: dict[str, Any]) -> None:
    show_fields(
        {
            "suite": told["hash"][:12],
            "name": told["name"] or None,
            "current": "yes" if told["current"] else "no",
            "opened": told["opened_at"],
            "seeds of each benchmark": told["seeds"],
            "agents scored": told["scored"],
        }
    )
    heading("Benchmarks")
    total = sum(entry["weight"] for entry in told["benchmarks"])
    show_table(
        ["benchmark", "version", "weight"],
        [[e["benchmark"], e["version"], f"{e['weight'] / total:.3f}"] for e in told["benchmarks"]],
    )


def _show_aggregates(best: dict[str, Any]) -> None:
    middle = best["interquartile_mean"]
    worst = ", ".join(f"{name} {figure(score)}" for name, score in best["worst"].items())
    show_fields(
        {
            "champion": short(best["agent"]),
            "weighted mean": figure(best["mean"]),
            "interquartile mean": middle
            and interval(middle["mean"], middle["lower"], middle["upper"]),
            "worst benchmarks": worst,
            "failed on": ", ".join(best["failed"]) or None,
        }
    )


def _show_best(told: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    heading("Best agents (mean [lower, upper]; then benchmark by benchmark)")
    names = [entry["benchmark"] for entry in told["benchmarks"]]
    show_table(
        ["agent", "id", "title", "score", *names],
        [
            [
                f"#{row['number']}",
                short(row["id"]),
                row["title"],
                interval(row["score"], row["lower"], row["upper"]),
                *(figure(row["vector"].get(each)) for each in names),
            ]
            for row in rows
        ],
    )
