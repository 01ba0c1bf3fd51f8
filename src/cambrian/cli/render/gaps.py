"""Search minus sealed, as people read it."""

from __future__ import annotations

from typing import Any

from cambrian.cli.render.output import heading, say, show_table
from cambrian.cli.render.text import difference, line, short

PARTS = {"same": "same benchmarks", "unseen": "unseen streams"}


def show_gaps(found: dict[str, Any] | None) -> None:
    """The gaps of a suite (`reports.scores.gaps`), what the champion's come to beside those of the
    seed agents, and the warnings; nothing where sealed data was not used."""
    if found is None:
        return
    heading("Search minus sealed: how far each falls (mean [lower, upper], 95 %)")
    rows = [[_who(one, found["champion"]), *_cells(one)] for one in found["members"]]
    if len(rows) > 1:
        rows.append(["mean of these", *_cells(found["mean"])])
    show_table(["agent", *PARTS.values()], rows)
    for one in found["members"]:
        for failure in one["failures"]:
            say(f"#{one['number']} failed: {line(failure)[:200]}")
    for part, name in PARTS.items():
        if beyond := found["excess"][part]:
            seeds = f"the mean of {beyond['seed_agents']} seed agents"
            alone = " (one alone has no interval)" if beyond["lower"] is None else ""
            say(f"champion's gap minus that of {seeds}, {name}: {_interval(beyond)}{alone}")
    for warning in found["warnings"]:
        say(line(warning))
    known = [one for one in found["excess"].values() if one and one["lower"] is not None]
    if known and not found["warnings"]:
        say("no warning: the champion is not shown to fall further than the seed agents do")


def _who(one: dict[str, Any], champion: str | None) -> str:
    star = " (champion)" if one["id"] == champion else ""
    return f"#{one['number']} {short(one['id'])} {line(one['title'])[:40]}{star}"


def _cells(by_part: dict[str, Any]) -> list[str]:
    return [_interval(by_part[part]) for part in PARTS]


def _interval(found: dict[str, Any] | None) -> str:
    return "-" if found is None else difference(found["mean"], found["lower"], found["upper"])
