"""`cambrian agent distill`: what an agent's parts are worth, and the smallest core."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cambrian.cli.agent.code import write_tree
from cambrian.cli.context import (
    Shared,
    common,
    examples,
    json_option,
    sandbox_option,
    workers_option,
)
from cambrian.cli.render.output import note, say, show_json
from cambrian.errors import NotFound, UsageError

if TYPE_CHECKING:
    from cambrian.agents.tree import SourceTree
    from cambrian.archive import Archive
    from cambrian.evolution.distilling import Distilled
    from cambrian.evolution.notebook import Notebook
    from cambrian.suite import Suite


@click.command(
    epilog=examples(
        "cambrian agent distill @best",
        "cambrian agent distill 3fa9c1 --suite continual -o core",
    )
)
@click.argument("agent_id", metavar="ID")
@click.option("--suite", metavar="NAME", help="Judge by this suite. [default: the archive's]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the core's source tree into this folder, which has to be new or empty.",
)
@click.option(
    "--seal/--no-seal",
    default=True,
    show_default=True,
    help="Run the original and the core on sealed data too; each use is counted.",
)
@workers_option
@sandbox_option
@json_option
@common
@click.pass_obj
def distill(
    shared: Shared,
    agent_id: str,
    suite: str | None,
    output: Path | None,
    seal: bool,
    workers: int,
    sandbox: str,
    as_json: bool,
) -> None:
    """Find out what the parts of the agent ID are worth, and which of them it needs.

    Each optional part is taken out, and each pair, and all variants are run on the seeds of a
    search. Then parts are given up one after the other, the least useful first, and on fresh seeds
    the smallest agent is looked for that is not worse than the original, by the margin of
    admission. Its sealed score stands beside the original's.

    What was run is kept in the folder `distilled` of the archive: stopped or killed, the same
    command goes on. Refused while a run is unfinished. Nothing else in the archive is changed.
    """
    from cambrian.agents.tree import SourceTree
    from cambrian.archive import Archive
    from cambrian.daemon import killswitch
    from cambrian.evolution import sealing
    from cambrian.evolution.distilling import distil, markdown
    from cambrian.evolution.notebook import FOLDER, Notebook
    from cambrian.evolution.runtime.process_worker import ProcessWorker
    from cambrian.sandbox.backends.registry import choose

    if output is not None and output.exists() and any(output.iterdir()):
        raise UsageError(f"expected {output} to be new or empty; choose another directory")
    killswitch.require_clear(shared.archive)
    with Archive.open(shared.archive) as archive, archive.lock():
        sealing.require_no_search(archive)
        chosen, wanted = archive.resolve(agent_id), _suite(archive, suite)
        tree = SourceTree(archive.agents.files(chosen))
        backend = choose(sandbox, announce=note)
        book = Notebook(
            archive.path / FOLDER / f"{chosen[:16]}-{wanted.hash[:8]}.jsonl",
            archive,
            functools.partial(ProcessWorker, backend.name),
            note,
            workers=workers,
        )
        book.adopt(chosen, tree)
        with killswitch.watch(archive.path, killswitch.interrupt):
            found = distil(tree, wanted, book.judge, book.of)
            if seal:
                found = _sealed(archive, chosen, tree, found, wanted, book)
    if output is not None:
        write_tree(found.files, output)
        note(f"the core: {output}")
    if as_json:
        show_json({"id": chosen, "evaluations": book.evaluations, **found.to_json()})
    else:
        say(markdown(found))


def _suite(archive: Archive, name: str | None) -> Suite:
    from cambrian.evaluators.suites import suite

    if name is not None:
        return suite(name)
    kept = archive.suites.current()
    if kept is None:
        raise NotFound("no suite was opened here yet: name one with --suite")
    return kept.suite


def _sealed(
    archive: Archive,
    agent_id: str,
    tree: SourceTree,
    found: Distilled,
    suite: Suite,
    book: Notebook,
) -> Distilled:
    """Both on sealed data; the use is counted first, for the agent that it is about."""
    from cambrian.agents.tree import SourceTree
    from cambrian.evolution.distilling import sealed_beside, sealed_units

    units = sealed_units(suite)
    trees = {one.identity: one for one in (tree, SourceTree(dict(found.files)))}
    left = sum(len(book.left(one, units)) for one in trees.values())
    if left:
        run = archive.runs.last()
        archive.sealings.open(agent_id, run_id=run.id if run else None, evaluations=left)
    return sealed_beside(found, tree, suite, book.judge, book.of)
