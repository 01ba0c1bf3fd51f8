"""`cambrian init` and `cambrian run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.output import note, say, show_json
from cambrian.cli.shared import INTERRUPTED, Shared, common, examples, json_option, sandbox_option
from cambrian.errors import Refused

if TYPE_CHECKING:
    from cambrian.daemon.supervisor import Ending
    from cambrian.evolution.settings import Settings

PROPOSALS = 40
"""How many, where neither --proposals nor --hours nor --judged says when to end."""


@click.command(epilog=examples("cambrian init", "cambrian --archive ./mine init"))
@common
@click.pass_obj
def init(shared: Shared) -> None:
    """Make an archive and put the seed agents into it.

    `cambrian run` does this by itself where there is no archive yet.
    """
    from cambrian.archive import Archive
    from cambrian.daemon import supervisor

    supervisor.init(shared.archive)
    with Archive.open(shared.archive, read_only=True) as archive:
        note(f"{archive.counts()['agents']} seed agents; `cambrian run` lets them evolve")
    say(str(shared.archive))


@dataclass(frozen=True)
class Given:
    """The options of `run`, as typed."""

    proposals: int | None
    hours: float | None
    judged: int | None
    workers: int
    seed: int
    rewriter: str
    model: str
    tokens: int | None
    sandbox: str
    benchmarks: str
    order: str
    selection: str
    device: str

    def settings(self) -> Settings:
        """As the evolution wants them.

        Raises:
            UsageError: they make no sense together. NotFound: an unknown benchmark.
        """
        from cambrian.evaluators.benchmarks import search_names
        from cambrian.evaluators.plugins import named
        from cambrian.evolution.settings import Settings

        names = tuple(named(name.strip()) for name in self.benchmarks.split(",") if name.strip())
        endless = self.proposals is None and self.hours is None and self.judged is None
        given: dict[str, Any] = {
            **vars(self),
            "benchmarks": tuple(search_names(names or None)),
            "proposals": PROPOSALS if endless else self.proposals,
        }
        return Settings(**given)


@click.command(
    epilog=examples(
        "cambrian run --proposals 40 --workers 2",
        "cambrian run --hours 8 --rewriter model --model NAME",
        "CAMBRIAN_RUN_WORKERS=4 cambrian run --judged 100",
    )
)
@click.option(
    "--proposals",
    type=click.IntRange(min=0),
    metavar="N",
    help="End after N proposals. [default: 40, where no other end is given]",
)
@click.option("--hours", type=float, metavar="H", help="End after H hours.")
@click.option(
    "--judged", type=click.IntRange(min=0), metavar="N", help="End after N judged variants."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    default=2,
    show_default=True,
    metavar="N",
    help="Evaluation processes; the tree does not depend on it.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="S",
    help="Of every random choice.",
)
@click.option(
    "--rewriter",
    type=click.Choice(["recombine", "model"]),
    default="recombine",
    show_default=True,
    help="Who rewrites: mechanisms recombined without a model, or a foundation model.",
)
@click.option(
    "--model",
    envvar=["CAMBRIAN_RUN_MODEL", "CAMBRIAN_MODEL"],
    default="",
    metavar="NAME",
    help="The model to ask, at OPENAI_BASE_URL with OPENAI_API_KEY. [env: CAMBRIAN_MODEL]",
)
@click.option(
    "--tokens",
    type=click.IntRange(min=0),
    metavar="N",
    help="Hard stop on the tokens a model may cost. [default: none]",
)
@sandbox_option
@click.option(
    "--benchmarks",
    default="",
    metavar="A,B",
    help="What agents are judged by, separated by commas: names, or files with one of your own. "
    "[default: the first three of `cambrian bench list`]",
)
@click.option(
    "--order",
    type=click.Choice(["fixed", "free"]),
    default="fixed",
    show_default=True,
    help="fixed: the same tree for any number of workers; free: decide as results come in.",
)
@click.option(
    "--selection",
    type=click.Choice(["dgm", "clade", "power-law", "uniform", "greedy"]),
    default="dgm",
    show_default=True,
    help="How parents are picked: by score over number of children (dgm), by what their clades "
    "have shown (clade), by rank (power-law), evenly (uniform), or the best ones only (greedy).",
)
@click.option(
    "--control/--no-control",
    default=False,
    show_default=True,
    help="Then spend the same budget on random recombinations of the seeds, for comparison.",
)
@click.option(
    "--seal/--no-seal",
    default=False,
    show_default=True,
    help="When the run has finished, do as `cambrian bench seal` does.",
)
@click.option("--abandon", is_flag=True, help="Give up an unfinished run that had other settings.")
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where learners compute.",
)
@json_option
@common
@click.pass_context
def run(
    ctx: click.Context, /, control: bool, seal: bool, abandon: bool, as_json: bool, **options: Any
) -> None:
    """Let the archive evolve, then report.

    Ctrl-C finishes what is being evaluated and stops, a second one stops at once; the same
    command goes on from there, and so it does after a kill. Every option can also be set in the
    environment, as CAMBRIAN_RUN_ and its name.
    """
    shared = ctx.ensure_object(Shared)
    settings = Given(**options).settings()
    _require_device(settings.device)
    ending = _evolve(shared, settings, control=control, seal=seal, abandon=abandon)
    _report(shared.archive, as_json=as_json)
    if ending.state == "stopped":
        note("stopped before its end: the same command goes on with it")
        ctx.exit(INTERRUPTED)


def _require_device(device: str) -> None:
    """Refuse a device that is not there, before anything is touched."""
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise Refused(
            f"--device {device}: expected an accelerator that torch {torch.__version__} can use, "
            "found none; install a CUDA build and driver, or use --device cpu"
        )


def _evolve(
    shared: Shared, settings: Settings, *, control: bool, seal: bool, abandon: bool
) -> Ending:
    from cambrian.cli.plan import plan
    from cambrian.cli.progress import Teller
    from cambrian.daemon import supervisor

    for row in plan(shared.archive, settings, control=control, seal=seal):
        note(row)
    with Teller(shared.archive, verbose=bool(shared.verbose)) as tell:
        return supervisor.run(
            shared.archive, settings, tell, control=control, seal=seal, abandon=abandon
        )


def _report(path: Path, *, as_json: bool) -> None:
    """What came of it, on standard output."""
    from cambrian.archive import Archive
    from cambrian.cli.shared import reading_control
    from cambrian.cli.status import summarise
    from cambrian.cli.summary import path_json, show_summary

    with Archive.open(path, read_only=True) as archive, reading_control(path) as control:
        found = summarise(archive, control)
        if as_json:
            show_json({**found, "path": path_json(archive)})
        else:
            show_summary(archive, found)
