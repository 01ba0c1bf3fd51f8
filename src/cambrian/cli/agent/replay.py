"""`cambrian agent replay`: repeat what was recorded, and say whether it comes out the same."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.agent.recorded import named, picking
from cambrian.cli.context import Shared, common, examples, json_option, sandbox_option
from cambrian.cli.render.output import note, say, show_json
from cambrian.cli.render.text import indented, line
from cambrian.errors import SandboxBroken
from cambrian.reports.agent.recorded import Picked

if TYPE_CHECKING:
    from cambrian.archive import Evaluation as Recorded
    from cambrian.measurement import Measurement
    from cambrian.sandbox.backends.process import Backend


@click.command(
    epilog=examples(
        "cambrian agent replay @best",
        "cambrian agent replay 3fa9c1 --benchmark split-mnist --stage full --seed 2",
    )
)
@picking
@sandbox_option
@json_option
@common
@click.pass_context
def replay(ctx: click.Context, /, sandbox: str, as_json: bool, **picked: Any) -> None:
    """Repeat recorded evaluations of the agent ID in a fresh sandbox here.

    Says "reproduced" or "differs by" for each. Verdict, raw score, every metric, FLOPs and bytes
    of state have to be exactly as recorded; what else was different is listed. Exit code 0 if
    all of them were reproduced, else 1. Nothing is written to the archive.
    """
    from cambrian.sandbox.backends.registry import choose

    shared = ctx.ensure_object(Shared)
    with shared.reading() as archive:
        agent, rows = Picked(**picked).of(archive)
        files = archive.agents.files(agent.id)
    backend = choose(sandbox, announce=note)
    found = []
    for row in rows:
        note(f"repeating {row.benchmark}, {row.stage} stage, seed {row.seed}")
        found.append(compare(row, repeat(backend, files, row)))
        if not as_json:
            _show(found[-1])
    if as_json:
        show_json({"id": agent.id, "items": found, "truncated": False})
    if not all(one["reproduced"] for one in found):
        ctx.exit(1)


def repeat(backend: Backend, files: Mapping[str, str], row: Recorded) -> Measurement:
    """The same unit in a session of its own.

    Raises:
        SandboxBroken: it could not be judged here.
    """
    from cambrian.evaluators.job import evaluate
    from cambrian.evaluators.workers.worker import FULL
    from cambrian.measurement import Unit
    from cambrian.sandbox.backends.gpu import on
    from cambrian.sandbox.session.session import Session

    device = row.device or "cpu"
    with on(device, FULL) as limits, Session(backend, limits) as session:
        session.install(files)
        unit = Unit(row.benchmark, row.stage, row.seed)
        say_once = functools.cache(lambda: note(f"another agent runs {unit}; waiting for it"))
        result = evaluate(session, unit, device=device, waiting=say_once)
    if result.verdict == "broken":
        raise SandboxBroken(f"the sandbox broke, nothing was compared: {result.reason}")
    return result


def compare(row: Recorded, result: Measurement) -> dict[str, Any]:
    """What differs between a recorded evaluation and its repetition, and the circumstances."""
    from cambrian.measurement import EXACT

    before = {name: getattr(row, name) for name in EXACT} | _prefixed(row.metrics)
    measured = {name: value for name, value in result.metrics.items() if name in row.metrics}
    after = {name: getattr(result, name) for name in EXACT} | _prefixed(measured)
    if row.verdict == "failed":
        # Why it failed is compared by its cause: a trace may name other places.
        before = {"verdict": "failed", "cause": row.reason.split(":")[0]}
        after = {"verdict": result.verdict, "cause": result.cause}
    differs = _differences(before, after)
    version = {"version": row.version}, {"version": result.version}
    around = _differences({**row.provenance, **version[0]}, {**result.provenance, **version[1]})
    return {
        "benchmark": row.benchmark,
        "stage": row.stage,
        "seed": row.seed,
        "reproduced": not differs,
        "differs": differs,
        "circumstances": around,
        "score": result.score,
        "reason": result.reason,
    }


def _prefixed(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {f"metric {name}": value for name, value in metrics.items()}


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    names = sorted({*before, *after})
    return {
        name: {"recorded": before.get(name), "here": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    }


def _show(found: Mapping[str, Any]) -> None:
    what = named(found)
    if found["reproduced"]:
        say(f"reproduced: {what}")
    else:
        say(f"differs by {', '.join(_by(found['differs']))}: {what}")
        if found["reason"]:
            say(indented(found["reason"]))
    for name, pair in found["circumstances"].items():
        say(line(f"    {name}: recorded with {pair['recorded']}, here {pair['here']}"))


def _by(differs: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    return [_one(name, pair["recorded"], pair["here"]) for name, pair in differs.items()]


def _one(name: str, recorded: Any, here: Any) -> str:
    if isinstance(recorded, (int, float)) and isinstance(here, (int, float)):
        return f"{line(name)} {here - recorded:+.6g} ({recorded!r} recorded, {here!r} here)"
    return f"{line(name)} ({line(recorded)} recorded, {line(here)} here)"
