"""The options that `run` and `daemon` share, and what becomes of them.

Each can be given as a flag, in the environment as CAMBRIAN_RUN_ and its name, or under [run] in
cambrian.toml; the first of these that there is wins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import SANDBOXES, Command, allow_option

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
    answer_tokens: int = 8192
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
        from cambrian.evolution.admission.rules import Rules
        from cambrian.evolution.budget import LIMITS
        from cambrian.evolution.models.prices import Price
        from cambrian.evolution.settings import Settings

        names = tuple(named(name.strip()) for name in self.benchmarks.split(",") if name.strip())
        endless = all(getattr(self, name) is None for name in LIMITS)
        known = {name: Price.of(text) for name, text in (prices or {}).items()}
        if self.price:
            known[self.model.strip()] = Price.of(self.price)
        given: dict[str, Any] = {
            **{n: value for n, value in vars(self).items() if n not in ("price", "seeds")},
            "rules": Rules(seeds="raced" if self.seeds == "raced" else "fixed"),
            "model": self.model.strip(),
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


def _whole(name: str, help_text: str) -> Callable[[Command], Command]:
    """A limit that is a number of things."""
    return _option(name, type=click.IntRange(min=0), metavar="N", help=help_text)


def _hours(name: str, help_text: str) -> Callable[[Command], Command]:
    return _option(name, type=float, metavar="H", help=help_text)


def _usual(name: str, kind: Any, default: Any, help_text: str, metavar: str | None = None) -> Any:
    """An option with a default that its help shows."""
    shown = {} if metavar is None else {"metavar": metavar}
    return _option(name, type=kind, default=default, show_default=True, help=help_text, **shown)


def _one_of(name: str, names: Sequence[str], help_text: str) -> Callable[[Command], Command]:
    """One of some words, the first of which is the default."""
    found: Callable[[Command], Command] = _usual(name, click.Choice(names), names[0], help_text)
    return found


ANY = click.FloatRange(min=0)

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _whole("--proposals", "End after N proposals. [default: 40, where no other end is given]"),
    _hours("--hours", "End after H hours, pauses not counted."),
    _whole("--judged", "End after this run has judged N variants."),
    _whole("--agents", "End after N admissions to the tree by this run."),
    _whole("--evaluations", "Never make more than N evaluations (sealed ones, at the end, apart)."),
    _hours("--cpu-hours", "End after H hours of processor time inside."),
    _whole("--tokens", "Hard stop on the tokens a model may cost. [default: none]"),
    _option(
        "--dollars",
        type=ANY,
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
    _usual(
        "--approve",
        str,
        "none",
        "Which admissions wait for a person: none, champion, every:N or all.",
        "WHICH",
    ),
    _usual(
        "--patience",
        ANY,
        60.0,
        "How long an engine or an endpoint may be down before the run is given up.",
        "MIN",
    ),
    _usual(
        "--workers",
        click.IntRange(1, 1024),
        2,
        "Evaluation processes; the tree does not depend on it.",
        "N",
    ),
    _usual("--seed", click.IntRange(0, 2**32 - 1), 0, "Of every random choice.", "S"),
    _one_of(
        "--rewriter",
        ("recombine", "model"),
        "Who rewrites: mechanisms recombined without a model, or a foundation model.",
    ),
    _option(
        "--model",
        envvar=["CAMBRIAN_RUN_MODEL", "CAMBRIAN_MODEL"],
        default="",
        metavar="NAME",
        help="The model to ask, at OPENAI_BASE_URL with OPENAI_API_KEY. [env: CAMBRIAN_MODEL]",
    ),
    _usual(
        "--answer-tokens",
        click.IntRange(min=1),
        8192,
        "The most that an answer of the model may have, its reasoning included.",
        "N",
    ),
    _one_of(
        "--sandbox",
        SANDBOXES,
        "Where untrusted code runs; none is no sandbox at all, and is never chosen by auto.",
    ),
    _option(
        "--benchmarks",
        default="",
        metavar="A,B",
        help="What agents are judged by, separated by commas: names, or files with one of your "
        "own. [default: the first three of `cambrian bench list`]",
    ),
    _one_of(
        "--order",
        ("fixed", "free"),
        "fixed: the same tree for any number of workers; free: decide as results come in.",
    ),
    _one_of(
        "--selection",
        ("dgm", "clade", "power-law", "uniform", "greedy"),
        "How parents are picked: by score over number of children (dgm), by what their clades "
        "have shown (clade), by rank (power-law), evenly (uniform), or the best ones only "
        "(greedy).",
    ),
    _one_of(
        "--seeds",
        ("fixed", "raced"),
        "What a variant is judged by: five seeds (fixed), or up to 14 in looks, with its parent, "
        "while that may show it to be better (raced; docs/statistics.md).",
    ),
    _one_of("--device", ("cpu", "cuda"), "Where learners compute."),
    _usual(
        "--drain",
        ANY,
        300.0,
        "Seconds that finishing what is being evaluated may take when told to stop.",
        "S",
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
