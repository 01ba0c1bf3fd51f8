"""`cambrian claim`: what papers claim, and how it went here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import common, examples, json_option
from cambrian.cli.render.output import (
    heading,
    note,
    say,
    show_fields,
    show_json,
    show_list,
    show_table,
)
from cambrian.cli.render.text import difference, duration
from cambrian.errors import Refused, UsageError

if TYPE_CHECKING:
    from cambrian.claims.claim import Claim, Finding
    from cambrian.claims.store import Result


@click.group()
def claim() -> None:
    """Show what papers claim, and whether it holds here; measure it again."""


@claim.command("list", epilog=examples("cambrian claim list"))
@json_option
@common
def list_claims(as_json: bool) -> None:
    """List the claims with their verdicts.

    A verdict is *holds*, *did not reproduce* or *not settled*, by paired 95 % intervals over seeds;
    a row is of docs/literature.md. A result is stale once the code behind it has changed.
    """
    from cambrian.claims.registry import claims
    from cambrian.claims.store import load

    items = [_described(found, load(name)) for name, found in claims().items()]
    if as_json:
        show_list([{k: item[k] for k in _LISTED} for item in items])
        return
    rows = [[item[key] if item[key] is not None else "–" for key in _LISTED[:5]] for item in items]
    for row, item in zip(rows, items, strict=True):
        row[3] = _measured(item)
    show_table(["claim", "row", "verdict", "measured", "paper"], rows)


_LISTED = ("name", "row", "verdict", "date", "citation", "stale", "seeds")


@claim.command(epilog=examples("cambrian claim show stability_gap"))
@click.argument("name")
@json_option
@common
def show(name: str, as_json: bool) -> None:
    """Show the claim NAME: what is said, how it is tested, and how each test went."""
    from cambrian.claims import registry, store

    found = registry.claim(name)
    result = store.load(name)
    item = _described(found, result)
    if as_json:
        show_json(item)
        return
    show_fields({k: item[k] for k in ("name", "row", "citation")})
    for key in ("says", "experiment", "controls"):
        heading(key.capitalize())
        say(click.wrap_text(item[key], 88))
    heading("Measured")
    if result is None:
        say(f"not yet: `cambrian claim run {name}` does it")
        return
    _show_findings(result.findings)
    say()
    show_fields(
        {
            "verdict": result.verdict,
            "measured": _measured(item),
            "the same again": result.again and result.again.date,
            "changed since": ", ".join(item["stale"]) or None,
            "seeds": f"{result.seeds} from {result.first_seed} on",
            "took": duration(result.seconds),
            "with": ", ".join(f"{k} {v}" for k, v in result.versions.items()),
            "code": result.code,
        }
    )


@claim.command(
    epilog=examples("cambrian claim run tiny_memories", "cambrian claim run ewc --resume")
)
@click.argument("name")
@click.option(
    "--seeds",
    type=click.IntRange(min=2),
    help="Exactly so many seeds; fewer than the claim asks for are shown and not kept.  [default: "
    "as many as the claim says, and more where those do not settle it]",
)
@click.option("--resume", is_flag=True, help="Go on with what a run that was stopped has measured.")
@click.option(
    "--confirm",
    is_flag=True,
    help="Run only the first seed of each condition again: where every figure is the same to the "
    "last digit, a stale result is fresh.",
)
@click.option("--keep", is_flag=True, help="Leave the pieces in the user's cache directory.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    show_default="beside the claims, in the installed package",
    help="Folder to keep the result in.",
)
@json_option
@common
def run(
    name: str,
    seeds: int | None,
    resume: bool,
    confirm: bool,
    keep: bool,
    into: Path | None,
    as_json: bool,
) -> None:
    """Measure the claim NAME and keep the result.

    What is measured is kept piece by piece (a condition with a seed), so that a run that was
    stopped loses one of them. Only our own learners run, without a sandbox. What did not reproduce
    is a result too: the exit code is 0.
    """
    from cambrian.claims import registry, running, store

    found = registry.claim(name)
    folder = into or store.FOLDER
    kept = seeds is None or seeds >= found.seeds
    if kept:
        _check_writable(folder)
    if confirm:
        before = store.load(name, folder)
        if before is None or seeds is not None or resume:
            raise UsageError(
                "expected --confirm alone, for a claim that was measured; got "
                + ("other options beside it" if before else f"no result of {name}")
            )
        result = running.confirm(found, before, said=note)
    else:
        result = running.measure(found, seeds=seeds, resume=resume, keep=keep, said=note)
    if kept:
        note(f"kept in {store.save(result, folder)}")
    else:
        note(f"not kept: {seeds} seeds settle nothing, the claim asks for {found.seeds}")
    if as_json:
        show_json(_described(found, result))
        return
    _show_findings(result.findings)
    say(f"{name}: {result.verdict}")


def _check_writable(folder: Path) -> None:
    """Before anything is measured.

    Raises:
        Refused: the folder cannot be written to.
    """
    from cambrian.claims.store import write

    probe = folder / ".writable"
    try:
        write(probe, "")
        probe.unlink()
    except OSError as error:
        raise Refused(
            f"expected a folder for the result that can be written to; got {folder} ({error}): "
            "name another with --into"
        ) from error


def _described(found: Claim, result: Result | None) -> dict[str, Any]:
    """A claim and its result, as JSON; what was not measured is None."""
    from cambrian.claims.store import stale

    item: dict[str, Any] = {
        "name": found.name,
        "row": found.row,
        "citation": found.citation,
        "says": found.says,
        "experiment": found.experiment,
        "controls": found.controls,
        "conditions": list(found.conditions),
        "verdict": None,
        "date": None,
        "seeds": None,
        "stale": [],
        "result": None,
    }
    if result is not None:
        measured = {"verdict": result.verdict, "date": result.date, "seeds": result.seeds}
        item |= {**measured, "stale": stale(found, result), "result": result.to_json()}
    return item


def _measured(item: dict[str, Any]) -> str:
    if item["date"] is None:
        return "not yet"
    return f"{item['date']}, stale" if item["stale"] else str(item["date"])


def _show_findings(findings: Sequence[Finding]) -> None:
    rows = [
        [
            f"{finding.verdict} (control)" if finding.control else finding.verdict,
            difference(finding.estimate.mean, finding.estimate.lower, finding.estimate.upper),
            finding.says,
            finding.said,
        ]
        for finding in findings
    ]
    show_table(["verdict", "difference, 95 %", "tested", "figures"], rows)
