"""What `cambrian solve` ends with: who was judged on the sealed rows, and who is the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cambrian.cli.render.output import heading, say, show_table
from cambrian.cli.render.text import duration, interval, line

EXPLAINED = (
    "Explained is the share of the last label's squared error that is gone: 1 where no error is "
    "left, 0 for the last label itself, and never below -1."
)


def show_solution(found: Mapping[str, Any], folder: Path) -> None:
    """Everything for people."""
    for row in about(found):
        say(line(row))
    heading("On the sealed rows" if found["finished"] else "The usual choices on the sealed rows")
    show_table(["who", "from", found["table"]["measure"], "a seed takes"], table(found))
    heading("The verdict")
    say(line(found["verdict"]["text"]))
    for row in notes(found):
        say(line(row))
    if found.get("package", {}).get("written"):
        heading("To take away")
        say(line(f"pip install '{folder / 'champion'}[sklearn,river]'"))
        if reason := found["package"]["reason"]:
            say(line(f"The package is held to no recorded answers: {reason}"))


def about(found: Mapping[str, Any]) -> list[str]:
    """The table and the search, a sentence each."""
    table, search = found["table"], found["search"]
    order = f", in the order of {table['order']}" if table["order"] else ""
    tasks = f", by {table['domain']}" if table["domain"] else ""
    how = f"{table['batch']} at a time" if table["batch"] else "task by task"
    rows = [
        (
            f"{table['file']}: {table['label']} of {table['inputs']} inputs ({table['kind']}{order}"
            f"{tasks}); {table['judged']} rows that no search saw count, {how}."
        ),
        (
            f"The search judged {search['judged']} variants and admitted {search['admitted']}, in "
            f"{duration(search['seconds'])}."
        ),
    ]
    guests = Counter(guest["came_from"] for guest in search["guests"] if not guest["reason"])
    for archive, count in guests.items():
        rows.append(f"It began with {count} agent{'s' * (count != 1)} of {archive}, too.")
    if not found["finished"] and (best := search["scores"].get("champion")):
        score = interval(best["mean"], best["lower"], best["upper"])
        rows.append(
            f"{best['title']} has {score} on the rows of the search. While a search goes on, no "
            "agent is judged on sealed rows."
        )
    return rows


def table(found: Mapping[str, Any]) -> list[list[str]]:
    """A row for each, the best first; those without a score last, with the reason."""
    agents = found["agents"].values() if found["finished"] else ()
    ranked = sorted(
        [*agents, *found["baselines"]],
        key=lambda one: -1e9 if one["mean"] is None else one["mean"],
        reverse=True,
    )
    return [_row(one) for one in ranked]


def _row(one: Mapping[str, Any]) -> list[str]:
    score = interval(one["mean"], one["lower"], one["upper"])
    seeds = len(one["by_seed"])
    said = one["reason"] if one["mean"] is None else score
    if one["mean"] is not None and one["reason"]:
        said = f"{score} ({seeds} seed{'s' * (seeds != 1)}; {one['reason']})"
    seconds = "-" if one["seconds"] is None else f"{one['seconds']:.2f} s"
    return [one["title"], one["by"] or "a naive guess", said, seconds]


def notes(found: Mapping[str, Any]) -> Sequence[str]:
    """How the figures are to be read."""
    rows = [
        (
            "Intervals are of 95 % over sealed seeds (the order of columns and classes, random "
            "choices); they do not say how other rows would come out."
        )
    ]
    if found["table"]["measure"] == "explained":
        rows.append(EXPLAINED)
    if one_row := found["table"]["one_row"]:
        rows.append(f"One row is worth {one_row:.4f}: a smaller difference counts as none.")
    if found["finished"]:
        rows.append(f"Sealed rows were used {found['sealed_use']['said']}.")
    return rows
