"""The options that `run` and `daemon` share, and what becomes of them.

Each can be given as a flag, in the environment as CAMBRIAN_RUN_ and its name, or under [run] in
cambrian.toml; the first of these that there is wins.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.shared import SANDBOXES, Command, allow_option

if TYPE_CHECKING:
    from cambrian.evolution.settings import Settings

PROPOSALS = 40
"""How many, where no limit says when to end."""

PREFIX = "CAMBRIAN_RUN_"


@dataclass(frozen=True)
class Given:
    """The options of a run, as given."""

    proposals: int | None = None
    hours: float | None = None
    judged: int | None = None
    agents: int | None = None
    evaluations: int | None = None
    cpu_hours: float | None = None
    tokens: int | None = None
    dollars: float | None = None
    price: str = ""
    approve: str = "none"
    patience: float = 60.0
    workers: int = 2
    seed: int = 0
    rewriter: str = "recombine"
    model: str = ""
    sandbox: str = "auto"
    benchmarks: str = ""
    order: str = "fixed"
    selection: str = "dgm"
    seeds: str = "fixed"
    device: str = "cpu"

    def settings(self, prices: dict[str, str] | None = None) -> Settings:
        """As the evolution wants them.

        Args:
            prices: of models by name, as "PROMPT,COMPLETION".

        Raises:
            UsageError: they make no sense together. NotFound: an unknown benchmark.
        """
        from cambrian.evaluators.benchmarks import search_names
        from cambrian.evaluators.plugins import named
        from cambrian.evolution.admission import Rules
        from cambrian.evolution.budget import LIMITS
        from cambrian.evolution.prices import Price
        from cambrian.evolution.settings import Settings

        names = tuple(named(name.strip()) for name in self.benchmarks.split(",") if name.strip())
        endless = all(getattr(self, name) is None for name in LIMITS)
        known = {name: Price.of(text) for name, text in (prices or {}).items()}
        if self.price:
            known[self.model] = Price.of(self.price)
        given: dict[str, Any] = {
            **{n: value for n, value in vars(self).items() if n not in ("price", "seeds")},
            "rules": Rules(seeds="raced" if self.seeds == "raced" else "fixed"),
            "benchmarks": tuple(search_names(names or None)),
            "proposals": PROPOSALS if endless else self.proposals,
            "prices": known,
        }
        return Settings(**given)

    @classmethod
    def of(cls, options: dict[str, Any]) -> Given:
        """Those of a command's options that are a run's."""
        return cls(**{field.name: options[field.name] for field in fields(cls)})


class Setting(click.Option):
    """An option whose errors say where its value comes from, if that is not the command line."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        hint = super().get_error_hint(ctx)
        source = ctx.get_parameter_source(str(self.name)) if ctx is not None else None
        if source is click.core.ParameterSource.ENVIRONMENT:
            names = self.envvar if isinstance(self.envvar, (list, tuple)) else [self.envvar]
            hint += f" (from {next(n for n in names if os.environ.get(str(n)))})"
        return hint


def _option(name: str, **attributes: Any) -> Callable[[Command], Command]:
    variable = PREFIX + name.removeprefix("--").split("/", maxsplit=1)[0].upper().replace("-", "_")
    return click.option(name, cls=Setting, **{"envvar": variable, **attributes})


WHOLE = click.IntRange(min=0)

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _option(
        "--proposals",
        type=WHOLE,
        metavar="N",
        help="End after N proposals. [default: 40, where no other end is given]",
    ),
    _option("--hours", type=float, metavar="H", help="End after H hours, pauses not counted."),
    _option("--judged", type=WHOLE, metavar="N", help="End after N judged variants."),
    _option("--agents", type=WHOLE, metavar="N", help="End after N admissions to the tree."),
    _option(
        "--evaluations",
        type=WHOLE,
        metavar="N",
        help="Never make more than N evaluations (sealed ones, at the end, apart).",
    ),
    _option(
        "--cpu-hours", type=float, metavar="H", help="End after H hours of processor time inside."
    ),
    _option(
        "--tokens",
        type=WHOLE,
        metavar="N",
        help="Hard stop on the tokens a model may cost. [default: none]",
    ),
    _option(
        "--dollars",
        type=click.FloatRange(min=0),
        metavar="D",
        help="Hard stop on what a model may cost; needs its price. [default: none]",
    ),
    _option(
        "--price",
        default="",
        metavar="P,C",
        help="What --model costs: dollars per million prompt and completion tokens. "
        "[default: as under [prices] in cambrian.toml]",
    ),
    _option(
        "--approve",
        default="none",
        show_default=True,
        metavar="WHICH",
        help="Which admissions wait for a person: none, champion, every:N or all.",
    ),
    _option(
        "--patience",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        metavar="MIN",
        help="How long an engine or an endpoint may be down before the run is given up.",
    ),
    _option(
        "--workers",
        type=click.IntRange(1, 1024),
        default=2,
        show_default=True,
        metavar="N",
        help="Evaluation processes; the tree does not depend on it.",
    ),
    _option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        show_default=True,
        metavar="S",
        help="Of every random choice.",
    ),
    _option(
        "--rewriter",
        type=click.Choice(["recombine", "model"]),
        default="recombine",
        show_default=True,
        help="Who rewrites: mechanisms recombined without a model, or a foundation model.",
    ),
    _option(
        "--model",
        envvar=["CAMBRIAN_RUN_MODEL", "CAMBRIAN_MODEL"],
        default="",
        metavar="NAME",
        help="The model to ask, at OPENAI_BASE_URL with OPENAI_API_KEY. [env: CAMBRIAN_MODEL]",
    ),
    _option(
        "--sandbox",
        type=click.Choice(SANDBOXES),
        default="auto",
        show_default=True,
        help="Where untrusted code runs; none is no sandbox at all, and is never chosen by auto.",
    ),
    _option(
        "--benchmarks",
        default="",
        metavar="A,B",
        help="What agents are judged by, separated by commas: names, or files with one of your "
        "own. [default: the first three of `cambrian bench list`]",
    ),
    _option(
        "--order",
        type=click.Choice(["fixed", "free"]),
        default="fixed",
        show_default=True,
        help="fixed: the same tree for any number of workers; free: decide as results come in.",
    ),
    _option(
        "--selection",
        type=click.Choice(["dgm", "clade", "power-law", "uniform", "greedy"]),
        default="dgm",
        show_default=True,
        help="How parents are picked: by score over number of children (dgm), by what their "
        "clades have shown (clade), by rank (power-law), evenly (uniform), or the best ones only "
        "(greedy).",
    ),
    _option(
        "--seeds",
        type=click.Choice(["fixed", "raced"]),
        default="fixed",
        show_default=True,
        help="What a variant is judged by: five seeds (fixed), or up to 14 in looks, with its "
        "parent, while that may show it to be better (raced; docs/statistics.md).",
    ),
    _option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        default="cpu",
        show_default=True,
        help="Where learners compute.",
    ),
    _option(
        "--drain",
        type=click.FloatRange(min=0),
        default=300.0,
        show_default=True,
        metavar="S",
        help="Seconds that finishing what is being evaluated may take when told to stop.",
    ),
    _option(
        "--metrics",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        help="Serve /metrics, /healthz and /readyz on loopback; 0 takes any free port. "
        "[default: no]",
    ),
)


def run_options(command: Command) -> Command:
    """All of them, in this order."""
    command = allow_option(command)
    for option in reversed(OPTIONS):
        command = option(command)
    return command
