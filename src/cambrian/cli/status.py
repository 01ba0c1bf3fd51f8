"""`cambrian status`: where a run stands, its champion, and what the sealed streams say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option, reading_control
from cambrian.cli.render.gaps import show_gaps
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_table
from cambrian.cli.render.text import difference, duration, interval, line, number, quantity, short
from cambrian.reports import status as reports
from cambrian.reports.status import STATES

if TYPE_CHECKING:
    from cambrian.archive import Archive

LIVE_S = 2.0
"""How long a running process may take to say how it is."""


@click.command(epilog=examples("cambrian status", "cambrian status --json"))
@json_option
@common
@click.pass_obj
def status(shared: Shared, as_json: bool) -> None:
    """Show where the run stands: counts, champion, sealed scores, spend.

    Scores are normalised: 0 is a benchmark's floor, 1 its ceiling; intervals are 95 %.
    """
    with shared.reading() as archive, reading_control(shared.archive) as control:
        found = reports.status(archive, control, ask_live(archive))
    if as_json:
        show_json(found)
    else:
        show_status(found)


def ask_live(archive: Archive) -> dict[str, Any] | None:
    """What the process that carries the run on says of itself; None without an answer."""
    if archive.lock_holder() is None:
        return None
    from cambrian.daemon import socket
    from cambrian.errors import CambrianError

    try:
        found: dict[str, Any] = socket.ask(archive.path, "status", patience_s=LIVE_S)["data"]
    except CambrianError:
        return None
    return found


def show_status(found: dict[str, Any]) -> None:
    """The same for people."""
    _show_counts(found)
    _show_champion(found["champion"])
    show_sealed(found["sealed"])
    show_control(found["control"], found["judged"])


def _show_counts(found: dict[str, Any]) -> None:
    parts = [f"{found[state]} {state.replace('_', ' ')}" for state in STATES if found[state]]
    spend = found["spend"]
    tokens = spend["prompt_tokens"] + spend["completion_tokens"]
    broken = found["evaluations_broken"]
    running = found["running"]
    show_fields(
        {
            "archive": found["archive"],
            "run": _state(found),
            "process": None if running is None else running or "unknown",
            "proposals": f"{found['proposals']}: {', '.join(parts) or 'none judged yet'}",
            "agents": f"{found['agents']}, {found['members']} of them in the tree",
            "failed seeds": "; ".join(map(_failed_seed, found["failed_seeds"])) or None,
            "evaluations": f"{found['evaluations']}"
            + (f" ({broken} more broke and were repeated)" if broken else ""),
            "progress": found["progress"] and _progress(found["progress"]),
            "null controls": _nulls(found["nulls"]),
            "time": duration(found["wall_s"]),
            "paused": "; ".join(found["paused"].values()),
            "workers": found["daemon"] and found["daemon"]["workers"],
            "jobs": found["daemon"] and _jobs(found["daemon"]),
            "approvals": f"{found['approvals']} wait: `cambrian approvals`"
            if found["approvals"]
            else None,
            **{f"limit {one['name']}": _limit(one) for one in found["budget"] if _limit(one)},
            "model": f"{spend['calls']} calls, {quantity(tokens)} tokens, ${spend['dollars']:.2f}"
            if spend["calls"]
            else None,
        }
    )


def _progress(found: dict[str, Any]) -> str:
    """Whether the run still finds anything, and what to add if not."""
    gain, said = found["gain"], found["state"]
    if gain is not None:
        shown = difference(gain["mean"], gain["lower"], gain["upper"])
        said += f": the last {found['window']} judged, best against the champion before: {shown}"
    elif found["judged"] < found["window"]:
        said += f" (too early to tell: {found['judged']} of {found['window']} judged)"
    return line("; ".join([said, *(f"add {one}" for one in found["advice"])]))


def _nulls(found: dict[str, Any]) -> str | None:
    """The twins that must not win: whether the host repeats itself, how often luck passes."""
    same, other = found["identical"], found["random_stream"]
    parts = []
    if same["judged"]:
        differ = len(same["differ"])
        parts.append(
            f"{same['judged']} identical twins "
            + (f"DIFFER in {differ} of {same['evaluations']} evaluations" if differ else "repeated")
        )
    if other["judged"]:
        parts.append(
            f"{other['better']} of {other['judged']} twins with another random stream passed as "
            f"better ({interval(other['rate'], other['lower'], other['upper'])}; "
            f"α {other['alpha']:g}{', ABOVE it' if other['above_alpha'] else ''})"
        )
    return "; ".join(parts) or None


def _failed_seed(one: dict[str, Any]) -> str:
    reason = (one["reason"].splitlines() or ["no reason given"])[0]
    return line(f"{one['title']} on {one['benchmark']} ({reason})")[:200]


def _jobs(live: dict[str, Any]) -> str | None:
    counts = live.get("jobs")
    return counts and ", ".join(f"{count} {state}" for state, count in counts.items())


def _limit(one: dict[str, Any]) -> str:
    """One limit: used, and when it will be used up at the pace so far."""
    if one["limit"] is None:
        return ""
    left = "" if one["left_s"] is None else f", about {duration(one['left_s'])} left"
    return f"{one['spent']:.4g} of {one['limit']:g}{left}"


def _state(found: dict[str, Any]) -> str:
    if found["run"] is None:
        return "none yet; `cambrian run` starts one"
    how = {
        "interrupted": " (killed; the same command continues it)",
        "stopped": " (may be resumed)",
    }
    return f"{found['run']['id']}, {found['state']}{how.get(found['state'], '')}"


def _show_champion(champion: dict[str, Any] | None) -> None:
    heading("Champion")
    if champion is None:
        say("none yet: no agent has been scored")
        return
    score = interval(champion["score"], champion["lower"], champion["upper"])
    say(f"#{champion['number']} {short(champion['id'])}  {score}  {line(champion['title'])}")


def show_sealed(sealed: dict[str, Any]) -> None:
    """The sealed table, the champion against the best seed agent, and how far each falls."""
    heading("Sealed streams (mean [lower, upper], 95 %)")
    if not sealed["agents"]:
        say("not run yet: `cambrian bench seal` runs them")
        return
    streams = sealed["streams"]
    headers = ["agent", "seeds", "all", *streams["search"], *(f"{n} *" for n in streams["unseen"])]
    show_table(headers, [_sealed_row(row, streams) for row in sealed["agents"]])
    if streams["unseen"]:
        say("* a stream that no search saw")
    for row in sealed["agents"]:
        for failure in row["failures"]:
            say(f"#{row['number']} failed: {line(failure)[:200]}")
    champion = sealed["champion"]
    if champion and champion["difference"]:
        against = next(r for r in sealed["agents"] if r["id"] == champion["paired_against"])
        name = f"the best seed agent, #{against['number']} {line(against['title'])}"
        say(f"champion minus {name}: {_difference(champion['difference'])}")
        shown = [
            f"{line(name)} {row['mean']:+.3f} (p {row['p_holm']:.3f})"
            for name, row in champion["per_benchmark_difference"].items()
        ]
        say(f"on each stream (permutation test, Holm): {', '.join(shown)}")
    say(f"sealed data was used {sealed['looks']['text']}")
    show_gaps(sealed["gaps"])


def _sealed_row(row: dict[str, Any], streams: dict[str, Any]) -> list[str]:
    names = [*streams["search"], *streams["unseen"]]
    means = [row["per_benchmark"].get(name) for name in names]
    return [
        f"#{row['number']} {short(row['id'])} {line(row['title'])[:40]}",
        str(len(row["seeds"])),
        interval(row["mean"], row["lower"], row["upper"]),
        *(number(mean["mean"]) if mean else "-" for mean in means),
    ]


def show_control(control: dict[str, Any] | None, judged: int) -> None:
    """The control beside the `judged` variants of the run, if it was run."""
    if control is None:
        return
    heading("Control: random recombinations of seed agents, no archive")
    champion = control["champion"]
    found = interval(champion["score"], champion["lower"], champion["upper"]) if champion else "-"
    say(f"{control['judged']} judged in {duration(control['wall_s'])}; its best: {found}")
    if control["judged"] != judged:
        say(f"not the same budget: {control['judged']} judged here, {judged} in the run")
    sealed = control["sealed"]
    if sealed:
        say(f"its best on sealed streams: {interval(*_bounds(sealed))}")
    if sealed and sealed["difference"]:
        say(f"champion minus the control's: {_difference(sealed['difference'])}")


def _difference(found: dict[str, Any]) -> str:
    return f"{difference(*_bounds(found))}, paired over {found['seeds']} seeds"


def _bounds(found: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    return found["mean"], found["lower"], found["upper"]
