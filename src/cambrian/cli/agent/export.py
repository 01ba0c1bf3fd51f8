"""`cambrian agent export`: an agent as a package that needs no Cambrian."""

from __future__ import annotations

from pathlib import Path

import click

from cambrian.cli.context import Shared, common, examples, json_option, sandbox_option
from cambrian.cli.render.output import note, say, show_json


@click.command(
    epilog=examples(
        "cambrian agent export @best -o ./champion",
        "pip install './champion[sklearn]'",
        "cambrian agent export 3fa9c1 -o ./mine --name mine",
    )
)
@click.argument("agent_id", metavar="ID")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    required=True,
    help="Write the package into this directory, which must be new or empty.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="What the package is imported by; agent_ and the start of its id, if none is given.",
)
@click.option(
    "--record/--no-record",
    default=True,
    show_default=True,
    help="Record in a sandbox what the agent answers, as a test of the package.",
)
@sandbox_option
@json_option
@common
@click.pass_obj
def export(
    shared: Shared,
    agent_id: str,
    output: Path,
    name: str | None,
    record: bool,
    sandbox: str,
    as_json: bool,
) -> None:
    """Write the agent ID as a package that pip installs, without Cambrian in it.

    It brings the learner, the contract that it keeps, its licence, lineage, scores and papers,
    tests, and three faces: scikit-learn (fit, partial_fit, predict, predict_proba, score), river
    (learn_one, predict_one) and torch. Its code was written by a program and runs without a
    sandbox there: read it before you install it.
    """
    from cambrian.sandbox.backends.registry import choose
    from cambrian.takeaway.package import package, write
    from cambrian.takeaway.provenance import provenance
    from cambrian.takeaway.recording import record as recorded

    with shared.reading() as archive:
        agent = archive.agents.get(archive.resolve(agent_id))
        files = archive.agents.files(agent.id)
        origin = provenance(archive, agent, files)
    answers = recorded(files, choose(sandbox, announce=note)) if record else None
    made = package(files, origin, answers, name)
    write(made, output)
    if as_json:
        sizes = {path: len(content) for path, content in made.items()}
        show_json({"id": agent.id, "output": str(output), "files": sizes})
    else:
        say(str(output))
        note(f"{len(made)} files; `pip install '{output}[sklearn,river]'` installs it")
