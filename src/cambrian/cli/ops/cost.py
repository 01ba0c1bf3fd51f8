"""`cambrian cost`: what was spent, on what."""

from __future__ import annotations

from typing import Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import heading, note, show_fields, show_json, show_table
from cambrian.cli.render.text import duration, interval, quantity, short
from cambrian.reports.costs import BY, costs


@click.command(epilog=examples("cambrian cost", "cambrian cost --by model", "cambrian cost --json"))
@click.option(
    "--by",
    type=click.Choice(sorted(BY)),
    default="phase",
    show_default=True,
    help="What to add up by; format: which changes of models' answers could be made; improver: "
    "what the edits of each improver came to.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    metavar="N",
    help="At most so many rows; 0 for all.",
)
@json_option
@common
@click.pass_obj
def cost(shared: Shared, by: str, limit: int, as_json: bool) -> None:
    """Show what was spent: calls, tokens and dollars of models, evaluations and processor time.

    By model, also what was stated of edits against what came: the share that gained with the mean
    confidence, the Brier score (0 is best), and how often an edit touched what its words speak of.
    Calls that an endpoint did not count, or that a kill cut off, are counted at an upper estimate
    and shown as such.
    """
    with shared.reading() as archive:
        found = costs(archive, by, limit)
    if as_json:
        show_json(found)
        return
    if found["items"] and by == "format":
        show_table(
            ("format", "model", "characters", "changes", "made", "share [95 %]"),
            [_changes(item) for item in found["items"]],
        )
    elif found["items"] and by == "improver":
        show_table(
            (
                *("improver", "rewrite of", "proposals", "admitted", "tokens"),
                *("gain per proposal [95 %]", "gain per million tokens [95 %]"),
            ),
            [_improver(item) for item in found["items"]],
        )
    elif found["items"]:
        headers = (by, "calls", "prompt", "completion", "dollars", "estimated")
        show_table(headers, [_row(item) for item in found["items"]])
    else:
        note("no model was asked")
    if found.get("honesty", {}).get("models"):
        _show_honesty(found["honesty"])
    show_fields(
        {
            "evaluations": _work(found["evaluations"]),
            "sealed": _work(found["sealed_evaluations"]),
            "run time": duration(found["wall_s"]),
        }
    )


def _row(item: dict[str, Any]) -> list[str]:
    return [
        str(item["name"]),
        str(item["calls"]),
        quantity(item["prompt_tokens"]),
        quantity(item["completion_tokens"]),
        f"${item['dollars']:.2f}",
        f"{item['estimated']} calls" if item["estimated"] else "",
    ]


def _show_honesty(found: dict[str, Any]) -> None:
    """What was stated of edits, against what came."""
    headers = ("stated by", "edits", "gained", "confidence", "Brier", "as stated", "flags")
    for kind in ("models", "improvers"):
        heading(f"What {kind} say of their edits")
        show_table(headers, [_honest(item) for item in found[kind]])


def _honest(item: dict[str, Any]) -> list[str]:
    brier, gained, told = item["brier"], item["gained"], item["as_stated"]
    return [
        str(item["name"]),
        str(item["stated"]),
        interval(gained["share"], gained["lower"], gained["upper"]),
        f"{item['confidence']:.2f}",
        interval(brier["mean"], brier["lower"], brier["upper"]),
        "-" if told is None else f"{100 * told['share']:.0f} %",
        ", ".join(item["flags"]),
    ]


def _changes(item: dict[str, Any]) -> list[str]:
    share = interval(item["share"], item["lower"], item["upper"])
    texts = [str(item[name]) for name in ("name", "model", "size", "changes", "made")]
    return [*texts, share]


def _improver(item: dict[str, Any]) -> list[str]:
    names = ("per_million", "per_million_lower", "per_million_upper")
    return [
        item["name"] or short(item["hash"]),
        short(item["above"]),
        str(item["proposals"]),
        str(item["admitted"]),
        quantity(item["tokens"]),
        interval(item["gain"], item["lower"], item["upper"]),
        interval(*(item[name] for name in names)),
    ]


def _work(item: dict[str, Any]) -> str:
    return f"{item['evaluations']}, {duration(item['cpu_s'])} of processor time"
