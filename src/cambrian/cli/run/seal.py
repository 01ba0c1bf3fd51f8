"""`cambrian bench seal`: agents on data that no search has seen."""

from __future__ import annotations

import functools

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


@click.command(epilog=examples("cambrian bench seal", "cambrian bench seal @best 3fa9c1"))
@click.argument("agent_ids", metavar="[ID]...", nargs=-1)
@workers_option
@sandbox_option
@json_option
@common
@click.pass_obj
def seal(
    shared: Shared, agent_ids: tuple[str, ...], workers: int, sandbox: str, as_json: bool
) -> None:
    """Run agents on sealed data: test images of their own, seeds of their own, unseen streams.

    Without ID: the seed agents and the champion. What has been run is not run again. Every use is
    counted and logged, with the agent and the time, and `cambrian status` shows the count: each
    one makes the data a little less sealed. Refused while a run is unfinished; its scores decide
    nothing. `cambrian run --seal` ends with this.
    """
    from cambrian.archive import Archive
    from cambrian.daemon import killswitch
    from cambrian.daemon.supervisor import benchmarks_of
    from cambrian.evolution import sealing
    from cambrian.evolution.runtime.process_worker import ProcessWorker
    from cambrian.sandbox.backends.registry import choose

    killswitch.require_clear(shared.archive)
    with Archive.open(shared.archive) as archive, archive.lock():
        sealing.require_no_search(archive)
        chosen = [archive.resolve(agent_id) for agent_id in agent_ids]
        backend = choose(sandbox, announce=note)
        with killswitch.watch(archive.path, killswitch.interrupt):
            done = sealing.seal(
                archive,
                chosen or sealing.wanted(archive),
                benchmarks_of(archive),
                functools.partial(ProcessWorker, backend.name),
                note,
                workers=workers,
            )
        looks = archive.sealings.looks()
    if as_json:
        show_json({"evaluations": done, "looks": vars(looks)})
        return
    say(f"{done} sealed evaluations run; sealed data was used {looks}")
