"""The commands that steer a run: over its control socket or, without a process, in the archive."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import (
    heading,
    note,
    say,
    show_fields,
    show_json,
    show_list,
    show_table,
)
from cambrian.cli.render.text import block, line, number, short
from cambrian.errors import Unreachable
from cambrian.reports.approvals import waiting

if TYPE_CHECKING:
    pass

DROP_S = 45.0
"""How long a stop at once may take before the kill switch is set, and again after that."""

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
)


def request(
    shared: Shared, verb: str, arguments: Mapping[str, Any], *, dry_run: bool
) -> dict[str, Any]:
    """Ask the process that runs in the archive; where no process does, do it in the archive itself.

    Raises:
        Unreachable: a process runs there and does not answer.
        CambrianError: it was refused.
    """
    from cambrian.daemon.asking import request as ask

    return ask(shared.archive, verb, arguments, dry_run=dry_run)


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json({"answer": found["answer"], **found.get("data", {})})
    else:
        say(line(found["answer"]))


def _steer(
    shared: Shared, verb: str, arguments: Mapping[str, Any], *, dry_run: bool, as_json: bool
) -> None:
    _show(request(shared, verb, arguments, dry_run=dry_run), as_json=as_json)


@click.command(epilog=examples("cambrian pause", "cambrian pause --now"))
@click.option("--now", is_flag=True, help="Drop what is being evaluated; it is done again later.")
@dry_run_option
@json_option
@common
@click.pass_obj
def pause(shared: Shared, now: bool, dry_run: bool, as_json: bool) -> None:
    """Start nothing new until `cambrian resume`, across restarts too.

    What is being evaluated is finished first. A pause's time does not count.
    """
    _steer(shared, "pause", {"now": True} if now else {}, dry_run=dry_run, as_json=as_json)


@click.command(epilog=examples("cambrian resume"))
@dry_run_option
@json_option
@common
@click.pass_obj
def resume(shared: Shared, dry_run: bool, as_json: bool) -> None:
    """End a pause."""
    _steer(shared, "resume", {}, dry_run=dry_run, as_json=as_json)


@click.command(epilog=examples("cambrian stop", "cambrian stop --now"))
@click.option(
    "--drain/--now",
    default=True,
    show_default=True,
    help="Finish what is being evaluated first; or drop it, and if there is no answer set the "
    "kill switch.",
)
@click.option("--wait", is_flag=True, help="Return only when it has ended (--now always does).")
@dry_run_option
@json_option
@common
@click.pass_obj
def stop(shared: Shared, drain: bool, wait: bool, dry_run: bool, as_json: bool) -> None:
    """Stop the run; the same command continues it later.

    The kill switch is a file STOP in the archive's directory: whatever runs there stops at once,
    and nothing is started while it is there. Nothing recorded is lost either way.
    """
    arguments = {"how": "drain" if drain else "now"}
    if drain or dry_run:
        _steer(shared, "stop", arguments, dry_run=dry_run, as_json=as_json)
        if wait and not dry_run:
            _ended(shared, float("inf"))
        return
    try:
        found = request(shared, "stop", arguments, dry_run=False)
    except Unreachable as error:
        note(str(error))
        found = {"answer": "it does not answer"}
    if not _ended(shared, DROP_S):
        _by_kill_switch(shared)
        found = {"answer": "stopped by the kill switch"}
    _show(found, as_json=as_json)


def _ended(shared: Shared, seconds: float) -> bool:
    """Wait until the archive is free; False if it is still held."""
    end = time.monotonic() + seconds
    with shared.reading() as archive:
        while archive.lock_holder() is not None:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
    return True


def _by_kill_switch(shared: Shared) -> None:
    """Set the switch, wait for the end, and clear it again (only if it was not set before)."""
    from cambrian.daemon import killswitch

    switch = shared.archive / killswitch.NAME
    ours = not switch.exists()
    switch.touch()
    try:
        if not _ended(shared, DROP_S):
            raise Unreachable(
                f"it still runs: {switch} stays, and so nothing will be started there; look for "
                "the process that holds the archive (`cambrian status`) and kill it"
            )
    except Unreachable:
        ours = False
        raise
    finally:
        if ours:
            switch.unlink(missing_ok=True)


def _agent(text: str) -> str | int:
    """What a person calls an agent or a proposal: an id, or a number after "p"."""
    return int(text[1:]) if text[:1] == "p" and text[1:].isdigit() else text


AGENT = "AGENT is an agent's id (or a prefix of it), or p and a proposal's number (p12)."


@click.command(epilog=examples("cambrian approve 4f3a", "cambrian approve p12 --reason 'read it'"))
@click.argument("agent")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept with the decision.")
@dry_run_option
@json_option
@common
@click.pass_obj
def approve(shared: Shared, agent: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Admit a variant that waits for a person's approval.

    AGENT is an agent's id (or a prefix of it), or p and a proposal's number (p12). `cambrian
    approvals` shows what waits.
    """
    arguments = {"agent": _agent(agent), "reason": reason}
    _steer(shared, "approve", arguments, dry_run=dry_run, as_json=as_json)


@click.command(epilog=examples("cambrian reject 4f3a --reason 'reads the labels'"))
@click.argument("agent")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept with the decision.")
@dry_run_option
@json_option
@common
@click.pass_obj
def reject(shared: Shared, agent: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Reject a variant that waits for a person's approval.

    AGENT is an agent's id (or a prefix of it), or p and a proposal's number (p12).
    """
    arguments = {"agent": _agent(agent), "reason": reason}
    _steer(shared, "reject", arguments, dry_run=dry_run, as_json=as_json)


@click.command("set-budget", epilog=examples("cambrian set-budget tokens 5000000"))
@click.argument("name")
@click.argument("limit")
@dry_run_option
@json_option
@common
@click.pass_obj
def set_budget(shared: Shared, name: str, limit: str, dry_run: bool, as_json: bool) -> None:
    """Change a limit of the run, now and across restarts.

    NAME is one of proposals, judged, agents, evaluations, hours, cpu_hours, tokens and dollars;
    LIMIT a number, or "none". It holds until the run is resumed with another limit as an option.
    """
    from cambrian.errors import UsageError

    try:
        value = None if limit == "none" else float(limit)
    except ValueError:
        raise UsageError(f'expected a number or "none" as the limit, got {limit!r}') from None
    arguments = {"name": name.replace("-", "_"), "limit": value}
    _steer(shared, "set-budget", arguments, dry_run=dry_run, as_json=as_json)


@click.command("set-workers", epilog=examples("cambrian set-workers 8"))
@click.argument("count", type=int)
@dry_run_option
@json_option
@common
@click.pass_obj
def set_workers(shared: Shared, count: int, dry_run: bool, as_json: bool) -> None:
    """Change how many evaluation processes the run keeps, across restarts too.

    A surplus worker ends after its current job.
    """
    _steer(shared, "set-workers", {"count": count}, dry_run=dry_run, as_json=as_json)


@click.command(epilog=examples("cambrian retry p12"))
@click.argument("agent")
@dry_run_option
@json_option
@common
@click.pass_obj
def retry(shared: Shared, agent: str, dry_run: bool, as_json: bool) -> None:
    """Retry a parked variant: one that was not judged because this machine broke.

    AGENT is an agent's id (or a prefix of it), or p and a proposal's number (p12).
    """
    _steer(shared, "retry", {"agent": _agent(agent)}, dry_run=dry_run, as_json=as_json)


@click.command(epilog=examples("cambrian cancel 4f3a"))
@click.argument("agent")
@dry_run_option
@json_option
@common
@click.pass_obj
def cancel(shared: Shared, agent: str, dry_run: bool, as_json: bool) -> None:
    """Cancel a variant that is being made or judged; it is neither admitted nor rejected.

    An answer that a model was asked for is still counted. AGENT is an agent's id (or a prefix of
    it), or p and a proposal's number (p12).
    """
    _steer(shared, "cancel", {"agent": _agent(agent)}, dry_run=dry_run, as_json=as_json)


@click.command(epilog=examples("cambrian approvals", "cambrian approvals --diff"))
@click.option("--diff", is_flag=True, help="Also show what each changes in its parent's code.")
@json_option
@common
@click.pass_obj
def approvals(shared: Shared, diff: bool, as_json: bool) -> None:
    """Show the admissions that wait for a person: why, the hypothesis, every gate."""
    with shared.reading() as archive:
        found = waiting(archive)
    if as_json:
        show_list(found)
        return
    for one in found:
        heading(f"p{one['proposal']}  {short(one['agent'])}  {line(one['title'])}")
        show_fields(
            {
                "asked": f"{one['asked_at']}: {one['why']}",
                "would be": one["kind"].replace("_", " "),
                "hypothesis": one["hypothesis"],
                "parents": ", ".join(short(parent) for parent in one["parents"]),
            }
        )
        rows = [
            [g["gate"], g["verdict"], number(g["value"]), number(g["threshold"]), g["rule"]]
            for g in one["gates"]
        ]
        show_table(("gate", "verdict", "value", "threshold", "rule"), rows)
        if diff:
            say(block(one["diff"]))
    note(
        f"{len(found)} wait; `cambrian approve` or `cambrian reject`"
        if found
        else "nothing is waiting for approval"
    )


COMMANDS = (
    *(pause, resume, stop, approvals, approve, reject),
    *(set_budget, set_workers, retry, cancel),
)
