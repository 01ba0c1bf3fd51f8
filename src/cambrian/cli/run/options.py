"""The options that `run` and `daemon` share, made of the schema of a run's settings.

Each can be given as a flag, in the environment as CAMBRIAN_RUN_ and its name, or under [run] in
cambrian.toml; the first of these that there is wins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, get_args

import click

from cambrian.cli.context import Command, allow_option
from cambrian.errors import UsageError
from cambrian.evolution.admission.thresholds import Rules, Seeds
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.roster.specs import REPLAY, ModelSpec, names_in
from cambrian.evolution.settings import LIMITS, PROPOSALS, Setting, Settings, schema

PREFIX = "CAMBRIAN_RUN_"


def settings_of(
    options: Mapping[str, Any],
    prices: Mapping[str, str] | None = None,
    models: Mapping[str, ModelSpec] | None = None,
) -> Settings:
    """The settings that options of a command make; what is not among these is as usual.

    Args:
        options: by name, as click gives them; others than a run's are left alone.
        prices: of models by name, as "PROMPT,COMPLETION".
        models: the sections [models.NAME] of cambrian.toml.

    Raises:
        UsageError: they make no sense together. NotFound: an unknown benchmark.
    """
    from cambrian.evaluators.benchmarks import search_names
    from cambrian.evaluators.plugins import named
    from cambrian.evaluators.suites import suite

    given: dict[str, Any] = {
        each.name: options[each.name]
        for each in schema()
        if each.name in options and not each.about.option
    }
    names = [name.strip() for name in options.get("benchmarks", "").split(",") if name.strip()]
    chosen = given["suite"] = options.get("suite", "").strip()
    if chosen and names:
        raise UsageError(f"expected --suite or --benchmarks, got both ({chosen}; {names[0]} …)")
    if chosen:
        given["benchmarks"] = suite(chosen).benchmarks
    else:
        given["benchmarks"] = tuple(search_names([named(name) for name in names] or None))
    given["rules"] = Rules(seeds=options.get("seeds", Rules.seeds))
    given |= asked_of(options, prices or {}, models or {})
    if all(given.get(name) is None for name in LIMITS):
        given["proposals"] = PROPOSALS
    return Settings(**given)


def asked_of(
    options: Mapping[str, Any], prices: Mapping[str, str], models: Mapping[str, ModelSpec]
) -> dict[str, Any]:
    """Which models are asked, where they are, and what they cost, as settings of a run.

    Raises:
        UsageError: they make no sense together. NotFound: there is no such recording.
    """
    asked = options.get("model", "").strip()
    if not asked and options.get("rewriter") in ("model", "mixed"):
        asked = ",".join(models)
    known = {name: Price.of(text) for name, text in prices.items()}
    if price := options.get("price"):
        if len(names_in(asked)) > 1:
            raise UsageError(
                "--price is for one model, and --model names several: state price_in and "
                "price_out of each under [models.NAME] in cambrian.toml"
            )
        known[asked] = Price.of(price)
    if asked.startswith(REPLAY) and options.get("rewriter") in ("model", "mixed"):
        from cambrian.evolution.models.roster.replay import head_of

        head = head_of(asked)
        return {
            "model": asked,
            "prices": {**known, **head.prices},
            "endpoints": dict(head.models),
        }
    ours = {name: models[name] for name in names_in(asked) if name in models}
    return {"model": asked, "prices": known, "endpoints": ours}


class SettingOption(click.Option):
    """An option whose errors say where its value comes from, if that is not the command line."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The option's name and, where the wrong value has another source, which variable it is
        from."""
        hint = super().get_error_hint(ctx)
        source = ctx.get_parameter_source(str(self.name)) if ctx is not None else None
        if source is click.core.ParameterSource.ENVIRONMENT:
            names = self.envvar if isinstance(self.envvar, (list, tuple)) else [self.envvar]
            hint += f" (from {next(n for n in names if os.environ.get(str(n)))})"
        return hint


def _made(setting: Setting) -> Callable[[Command], Command]:
    """The option of a setting."""
    about = setting.about
    name = (about.option or setting.name).replace("_", "-")
    kind, default = _kind(setting)
    attributes: dict[str, Any] = {"type": kind, "default": default, "help": about.help}
    if not isinstance(kind, click.Choice):
        attributes["metavar"] = about.metavar
    if default not in (None, ""):
        attributes["show_default"] = True
    own = _variable(name)
    variables = [own, *about.variables] if about.variables else own
    return click.option(f"--{name}", cls=SettingOption, envvar=variables, **attributes)


def _variable(name: str) -> str:
    return PREFIX + name.upper().replace("-", "_")


def _kind(setting: Setting) -> tuple[Any, Any]:
    """An option's type and default. Some settings are given in words of their own."""
    about = setting.about
    if setting.name == "rules":
        return click.Choice(get_args(Seeds)), Rules.seeds
    if setting.name in ("benchmarks", "prices"):
        return str, ""
    if setting.choices:
        return click.Choice(setting.choices), setting.default
    if about.least is None:
        return setting.kind, setting.default
    if setting.kind is int:
        most = None if about.most is None else int(about.most)
        return click.IntRange(int(about.least), most), setting.default
    return click.FloatRange(about.least, about.most), setting.default


OF_THE_SERVICE: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--drain",
        cls=SettingOption,
        envvar=_variable("drain"),
        type=click.FloatRange(min=0),
        default=300.0,
        show_default=True,
        metavar="S",
        help="Seconds that finishing what is being evaluated may take when told to stop.",
    ),
    click.option(
        "--metrics",
        cls=SettingOption,
        envvar=_variable("metrics"),
        type=click.IntRange(0, 65535),
        metavar="PORT",
        help="Serve /metrics, /healthz and /readyz on loopback; 0 takes any free port. "
        "[default: no]",
    ),
)
"""What concerns the process, and not the run."""

OPTIONS = (*(_made(each) for each in schema() if each.about.help), *OF_THE_SERVICE)


def run_options(command: Command) -> Command:
    """All of them, in this order."""
    command = allow_option(command)
    for option in reversed(OPTIONS):
        command = option(command)
    return command
