"""`cambrian compare`: agents side by side."""

from __future__ import annotations

from typing import Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import heading, note, say, show_json, show_table
from cambrian.cli.render.text import block, difference, interval, number
from cambrian.text import short


@click.command(
    epilog=examples(
        "cambrian compare @best @root", "cambrian compare '#12' '#7' --diff", "cambrian compare"
    )
)
@click.argument("agents", metavar="[ID]...", nargs=-1)
@click.option("--diff", "with_diff", is_flag=True, help="Show how their code differs, too.")
@json_option
@common
@click.pass_obj
def compare(shared: Shared, agents: tuple[str, ...], with_diff: bool, as_json: bool) -> None:
    """Hold the first agent against each of the others, paired by seed and benchmark.

    Differences are the first's score minus the other's, with 95 % intervals; p is by permutation,
    with Holm's correction over benchmarks. The probability of improvement is that of the first
    being better on a benchmark and a seed drawn at random. Without IDs: the champion and the seed
    agent that it comes from.
    """
    from cambrian.reports.scores.comparing import compare as found_of

    with shared.reading() as archive:
        found = found_of(archive, agents)
    if as_json:
        show_json(found)
        return
    if not found["agents"]:
        note("Nobody has a score yet.")
        return
    show_table(
        ("agent", "kind", "score", "title"),
        [
            (_name(one), one["kind"] or "", _score(one), one["title"] or "")
            for one in found["agents"]
        ],
    )
    if not found["pairs"]:
        note("Name a second agent to compare with.")
    for pair, other in zip(found["pairs"], found["agents"][1:], strict=True):
        _show(pair, found["agents"][0], other)
        if with_diff:
            say()
            say(block(pair["diff"]).rstrip() if pair["diff"] else "The same code.")


def _show(pair: dict[str, Any], first: dict[str, Any], other: dict[str, Any]) -> None:
    say()
    heading(f"{_name(first)} minus {_name(other)}")
    overall = pair["overall"]
    if not pair["benchmarks"]:
        say("They have no benchmark and seed in common.")
    elif overall:
        say(
            f"{_gain(overall)} over {len(pair['benchmarks'])} benchmarks and {len(pair['seeds'])} "
            f"seeds; probability of improvement {number(pair['probability_of_improvement'], 2)}"
        )
    say(_forked(pair["fork"], _name(first), _name(other)))
    if pair["benchmarks"]:
        show_table(
            ("benchmark", _name(first), _name(other), "difference", "p (Holm)", "seeds"),
            [
                (
                    name,
                    number(row["ours"]),
                    number(row["theirs"]),
                    _gain(row["difference"]),
                    number(row["p_holm"]),
                    row["seeds"],
                )
                for name, row in pair["benchmarks"].items()
            ],
        )


def _forked(fork: dict[str, Any] | None, first: str, other: str) -> str:
    if fork is None:
        return "They come from different seed agents."
    ours, theirs = fork["steps_ours"], fork["steps_other"]
    if not theirs:
        return f"{first} descends from {other}, in {_steps(ours)}."
    if not ours:
        return f"{other} descends from {first}, in {_steps(theirs)}."
    return f"They fork at {_name(fork)}: {_steps(ours)} to {first}, {_steps(theirs)} to {other}."


def _steps(count: int) -> str:
    return f"{count} step{'s' if count != 1 else ''}"


def _name(agent: dict[str, Any]) -> str:
    return f"#{agent['number']}" if agent["number"] is not None else short(agent["id"])


def _score(agent: dict[str, Any]) -> str:
    return interval(agent["score"], agent["lower"], agent["upper"])


def _gain(found: dict[str, Any]) -> str:
    return difference(found["mean"], found["lower"], found["upper"])
