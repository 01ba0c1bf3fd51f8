"""`cambrian agent import`: a learner of your own joins an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cambrian.cli.context import Shared, common, examples, json_option, sandbox_option
from cambrian.cli.render.output import note, say, show_json
from cambrian.errors import Refused, SandboxBroken

if TYPE_CHECKING:
    from cambrian.agents.tree import SourceTree

TRIED_ON = "label-drift"


@click.command(
    epilog=examples(
        "cambrian agent import mine.py --title 'my learner'",
        "cambrian agent import ./my-learner",
    )
)
@click.argument("path", metavar="DIR|FILE.py", type=click.Path(path_type=Path))
@click.option("--title", metavar="TEXT", help="What it is called; the name of DIR or FILE without.")
@click.option(
    "--on",
    "benchmark",
    default=TRIED_ON,
    show_default=True,
    metavar="BENCHMARK",
    help="It has to get through the smoke stage of this benchmark (a name, or FILE.py).",
)
@sandbox_option
@json_option
@common
@click.pass_obj
def import_agent(
    shared: Shared, path: Path, title: str | None, benchmark: str, sandbox: str, as_json: bool
) -> None:
    """Add a learner of your own to the archive, as a seed agent.

    FILE.py has a class Learner (docs/extend.md says what its methods are); DIR is a source tree
    with learner.py, and perhaps parts/. It is checked as any variant is: size, names, imports, code
    that is known already, and a short run in a sandbox. The next `cambrian run` judges it.
    """
    from cambrian.archive import Archive
    from cambrian.archive.lineage.lineage import Lineage
    from cambrian.evolution.rewriting import likeness
    from cambrian.evolution.runtime.seeding import add_own
    from cambrian.takeaway.bringing import read_own

    tree = read_own(path)
    with Archive.open(shared.archive) as archive, archive.lock():
        likeness.fill(archive, note)
        _try(tree, benchmark, sandbox)
        added = add_own(archive, tree, title or path.resolve().name.removesuffix(".py"))
        likeness.fill(archive, note)
        Lineage(archive).update()
    if as_json:
        show_json({"id": added.id, "number": added.number, "title": added.title})
    else:
        say(f"#{added.number} {added.id[:10]} {added.title}")


def _try(tree: SourceTree, benchmark: str, sandbox: str) -> None:
    """Let it run through a smoke stage.

    Raises:
        Refused: it failed. SandboxBroken: the sandbox did.
    """
    from cambrian.evaluators.job import evaluate
    from cambrian.evaluators.plugins import named
    from cambrian.measurement import Unit
    from cambrian.sandbox.backends.registry import choose
    from cambrian.sandbox.session.session import Session

    with Session(choose(sandbox, announce=note)) as session:
        session.install(tree)
        result = evaluate(session, Unit(named(benchmark), "smoke", 0))
    if result.verdict == "broken":
        raise SandboxBroken(f"the sandbox broke, nothing was added: {result.reason}")
    if result.verdict == "failed":
        raise Refused(f"it failed on {benchmark}, so nothing was added: {result.reason}")
