"""`cambrian bench rescore`: members of other suites, judged by the current one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import (
    Shared,
    common,
    examples,
    json_option,
    sandbox_option,
    workers_option,
)
from cambrian.cli.render.output import note, say, show_json
from cambrian.cli.render.text import interval, line, short
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.archive.suites import KeptSuite


@click.command(
    epilog=examples(
        "cambrian bench rescore --champions",
        "cambrian bench rescore 3fa9c1 @root",
        "cambrian bench rescore --members --evaluations 500",
    )
)
@click.argument("agent_ids", metavar="[ID]...", nargs=-1)
@click.option("--champions", "whom", flag_value="champions", help="The champions of other suites.")
@click.option("--members", "whom", flag_value="members", help="All members without a score.")
@click.option(
    "--evaluations",
    type=click.IntRange(min=0),
    metavar="N",
    help="Run at most N evaluations; an agent is begun only if all that it lacks fits in.",
)
@workers_option
@sandbox_option
@json_option
@common
@click.pass_obj
def rescore(
    shared: Shared,
    agent_ids: tuple[str, ...],
    whom: str | None,
    evaluations: int | None,
    workers: int,
    sandbox: str,
    as_json: bool,
) -> None:
    """Judge members of older suites by the archive's current suite.

    A changed suite (other benchmarks, weights, or versions) is a new epoch: scores of two are never
    compared. Name members by ID, or take --champions or --members: each is run on every benchmark
    of the current suite, as a seed agent is, and is from then on a member of it like any other. It
    may be the champion and a parent. What decided it before is kept, and not decided again.

    What has been run is not run again: stopped or killed, the same command goes on. Refused while a
    run is unfinished. The evaluations are in `cambrian cost`, and of no run's budget; --evaluations
    is the hard stop.
    """
    if bool(agent_ids) == bool(whom):
        raise UsageError("expected members by ID, or --champions or --members; one of these")
    from cambrian.archive import Archive
    from cambrian.daemon import killswitch
    from cambrian.evolution import rescoring
    from cambrian.evolution.runtime.process_worker import ProcessWorker
    from cambrian.sandbox.backends.registry import choose

    killswitch.require_clear(shared.archive)
    with Archive.open(shared.archive) as archive, archive.lock():
        kept = rescoring.require_suite(archive)
        chosen = _chosen(archive, kept, agent_ids, whom)
        rescoring.check(archive, chosen)
        needs = sum(len(rescoring.lacking(archive, one, kept)) for one in chosen)
        note(f"suite {kept.label}: {len(chosen)} agents lack {needs} evaluations")
        backend = choose(sandbox, announce=note)
        with killswitch.watch(archive.path, killswitch.interrupt):
            found = rescoring.rescore(
                archive,
                chosen,
                functools.partial(ProcessWorker, backend.name),
                note,
                limit=evaluations,
                workers=workers,
            ).to_json()
    if as_json:
        show_json({"suite": kept.suite.hash, **found})
    else:
        _show(found)


def _chosen(
    archive: Archive, kept: KeptSuite, agent_ids: tuple[str, ...], whom: str | None
) -> list[str]:
    from cambrian.evolution import rescoring

    if whom == "champions":
        return rescoring.champions(archive, kept)
    if whom == "members":
        return rescoring.members(archive, kept)
    return [archive.resolve(reference) for reference in agent_ids]


def _show(found: Mapping[str, Any]) -> None:
    for one in found["scored"]:
        score = interval(one["score"], one["lower"], one["upper"])
        say(f"#{one['number']} {short(one['id'])}  {score}  {line(one['title'])}")
    for one in found["failed"]:
        reason = (one["reason"].splitlines() or ["no reason given"])[0]
        where = f"{one['benchmark']}, seed {one['seed']}"
        say(f"#{one['number']} {short(one['id'])}  failed on {where}: {line(reason)[:200]}")
    for one in found["waiting"]:
        say(f"#{one['number']} {short(one['id'])}  not judged yet; the same command goes on")
    say(f"{found['evaluations']} evaluations run, {found['cpu_s']:.1f} CPU s")
