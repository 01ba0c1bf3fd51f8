"""`cambrian doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option, sandbox_option
from cambrian.cli.render.output import heading, note, say, show_json, show_table
from cambrian.cli.render.text import line
from cambrian.errors import CambrianError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cambrian.cli.ops.environment import Finding

_WORDS = {True: "ok", False: "MISSING", None: "-"}
_ENFORCED = {True: "enforced", False: "NOT enforced", None: "cannot tell"}
_EXPECTED = {"enforced": "", "reduced": "reduced", "not applicable": "-"}


def _numbers(ctx: click.Context, option: click.Parameter, value: str) -> list[int]:
    try:
        return [int(part) for part in value.split(",") if part.strip()]
    except ValueError:
        raise click.BadParameter(f"expected numbers with commas (43,75), got {value!r}") from None


@click.command(
    epilog=examples(
        "cambrian doctor",
        "cambrian doctor --sandbox bubblewrap --json",
        "cambrian doctor --attack",
    )
)
@click.option(
    "--attack",
    "attacked",
    is_flag=True,
    help="Run the shipped hostile learners against the sandboxes here (minutes).",
)
@click.option(
    "--only",
    default="",
    callback=_numbers,
    metavar="N,N",
    help="With --attack: the programs of these numbers.",
)
@sandbox_option
@json_option
@common
@click.pass_context
def doctor(
    ctx: click.Context, attacked: bool, only: list[int], sandbox: str, as_json: bool
) -> None:
    """Check this machine, and what a sandbox here really enforces.

    The sandbox is tried out with code that attempts what it must not be able to do (a few
    seconds). A row marked "reduced" is a wall that this kind of sandbox cannot raise; what is run
    in it is marked so. Exit code 0 if the sandbox is a full one and no wall was found open, else
    1; what could not be determined (a busy machine, nothing to enforce) is named.

    With --attack, the hostile learners that ship with Cambrian are run in Docker and bubblewrap (or
    in the sandbox that is named), and each is reported with whether its wall held. Exit code 0 only
    if every wall did.
    """
    if attacked:
        from cambrian.cli.ops.attack import attack

        if not attack(sandbox, only, as_json=as_json):
            ctx.exit(1)
        return
    if only:
        raise click.UsageError("--only is for --attack")
    from cambrian.cli.ops.environment import findings

    shared = ctx.ensure_object(Shared)
    found = list(findings(shared.archive))
    tried = try_sandbox(sandbox)
    if as_json:
        show_json({"findings": [asdict(finding) for finding in found], "sandbox": tried})
    else:
        _show(found, tried)
    if not tried["full"]:
        ctx.exit(1)


def try_sandbox(name: str) -> dict[str, Any]:
    """Which sandbox this machine gets, and the self-check's table."""
    said: list[str] = []
    result: dict[str, Any] = {"backend": None, "isolation": None, "checks": [], "error": None}
    try:
        from cambrian.sandbox.backends.registry import choose
        from cambrian.sandbox.conformance import conformance

        backend = choose(name, announce=said.append)
        result |= {"backend": backend.name, "isolation": backend.isolation}
        result["checks"] = [
            {
                "name": found.name,
                "enforced": found.enforced,
                "expected": str(found.expected),
                "met": found.met,
                "detail": found.detail,
            }
            for found in conformance.run(backend)
        ]
    except (CambrianError, ImportError) as error:
        result["error"] = str(error)
    return {**result, "said": said, **judge(result)}


def judge(tried: dict[str, Any]) -> dict[str, Any]:
    """Whether it is a full sandbox with no wall found open, and which walls nobody could tell."""
    enforced = {check["name"]: check["enforced"] for check in tried["checks"]}
    whole = tried["isolation"] == "full" and tried["error"] is None
    return {
        "full": whole and bool(enforced) and False not in enforced.values(),
        "undetermined": [name for name, stands in enforced.items() if stands is None],
    }


def _show(found: Sequence[Finding], tried: dict[str, Any]) -> None:
    show_table(["", "what", "found"], [[_WORDS[f.ok], f.name, f.detail] for f in found])
    lacking = [finding for finding in found if finding.ok is False]
    if lacking:
        heading("What to do")
        for finding in lacking:
            say(f"{finding.name}: {line(finding.advice)}")
    heading(f"Sandbox: {tried['backend'] or 'none works'} (isolation {tried['isolation'] or '-'})")
    for text in tried["said"]:
        say(line(text))
    if tried["error"]:
        say(line(tried["error"]))
    if tried["checks"]:
        rows = [
            [_ENFORCED[c["enforced"]], _EXPECTED[c["expected"]], c["name"], c["detail"]]
            for c in tried["checks"]
        ]
        show_table(["", "", "what", "how"], rows)
    untold = f"; cannot tell: {', '.join(tried['undetermined'])}" if tried["undetermined"] else ""
    works = "a full sandbox works here" if tried["full"] else "no full sandbox works here"
    note(works + untold)
