"""Settings from cambrian.toml, and `cambrian config show`.

What a setting is comes from the first of: its flag, its variable in the environment
(`CAMBRIAN_RUN_*`), the file, its default. The file is the one that --config or CAMBRIAN_CONFIG
names, else `cambrian.toml` here, else the one in the user's configuration directory. It has four
sections; anything else in it is an error::

    [run]            # options of `cambrian run` and `cambrian daemon`, without the dashes
    workers = 4
    cpu-hours = 100
    benchmarks = ["split-mnist", "label-drift"]

    [prices]         # dollars per million tokens: prompt, completion
    "some-model" = [2.5, 10]

    [models.NAME]    # where a model is and how it is asked, see docs/models.md
    base_url = "http://127.0.0.1:8080/v1"
    key_env = "SOME_API_KEY"
    price_in = 0.5
    price_out = 2

    [benchmarks]     # of your own, see docs/bring-your-own.md: paths from this file's folder
    files = ["mine.py"]
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cambrian import places
from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import say, show_json, show_table
from cambrian.errors import UsageError
from cambrian.evolution.models.roster.specs import REPLAY, ModelSpec

FILE = "cambrian.toml"
PRICES = "cambrian.prices"
MODELS = "cambrian.models"
ARGUMENTS = "cambrian.arguments"
USED = "cambrian.config"
SHARED_BY = ("run", "daemon")
BENCHMARKS = "CAMBRIAN_BENCHMARKS"

Scalar = bool | int | float | str
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Own(BaseModel):
    """Benchmarks of one's own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    files: list[str] = []


class OwnModel(BaseModel):
    """A model: `evolution.models.roster.specs.ModelSpec`, and its price."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = ""
    base_url: str = ""
    key_env: str = ""
    key_file: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    share: float | None = None
    at_once: int = 8
    role: str = "write"
    grammar: str = "gbnf"
    price_in: Dollars | None = None
    price_out: Dollars | None = None

    def spec(self) -> ModelSpec:
        """Without the price. Raises UsageError: a value cannot be used."""
        if (self.price_in is None) != (self.price_out is None):
            raise UsageError("expected price_in and price_out, got one of them")
        return ModelSpec.of(self.model_dump())

    @property
    def price(self) -> str | None:
        """As "PROMPT,COMPLETION"; None where none is stated."""
        return None if self.price_in is None else f"{self.price_in},{self.price_out}"


class File(BaseModel):
    """What cambrian.toml may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run: dict[str, Scalar | list[Scalar]] = {}
    prices: dict[str, tuple[Dollars, Dollars]] = {}
    models: dict[str, OwnModel] = {}
    benchmarks: Own = Own()


class Remembering(click.Command):
    """A command that keeps its arguments, so that its settings can be read again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the arguments as they were given, for `--detach` and SIGHUP, then parse them."""
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


def find() -> Path | None:
    """The file that is used where none is named."""
    own = places.config()
    candidates = (Path(FILE), *([own / FILE] if own else []))
    return next((place for place in candidates if place.is_file()), None)


def use(ctx: click.Context, path: Path | None) -> None:
    """Make the file's settings the defaults of the commands under this context.

    Raises:
        UsageError: it cannot be read, or holds an unknown key.
    """
    path = path or find()
    ctx.meta[USED] = path
    if path is None:
        return
    file = load(path)
    known = {option.name: option for option in file_options(ctx)}
    values: dict[str, Any] = {}
    for key, value in file.run.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"{path}: [run] has {key!r}, which is no setting{_near(key, known)}")
        values[name] = ",".join(map(str, value)) if isinstance(value, list) else value
        if wrong := _wrong(known[name], values[name], ctx):
            raise UsageError(f"{path}: [run] {key}: {wrong}")
    ctx.default_map = dict.fromkeys(SHARED_BY, values)
    ctx.meta[PRICES] = {name: f"{p},{c}" for name, (p, c) in file.prices.items()}
    ctx.meta[PRICES] |= {name: one.price for name, one in file.models.items() if one.price}
    ctx.meta[MODELS] = _specs(file, path)
    bring(path.parent / own for own in file.benchmarks.files)


def _specs(file: File, path: Path) -> dict[str, ModelSpec]:
    found = {}
    for name, own in file.models.items():
        if not name.strip() or "," in name or name.startswith(REPLAY):
            raise UsageError(f"{path}: [models] has {name!r}, which can be no name of a model")
        try:
            found[name] = own.spec()
        except UsageError as error:
            raise UsageError(f"{path}: [models.{name}] {error}") from None
    return found


def bring(files: Iterable[Path]) -> None:
    """Have benchmarks in files known here and in processes started from here; nothing is imported
    before a benchmark is asked for."""
    known = [part for part in os.environ.get(BENCHMARKS, "").split(os.pathsep) if part]
    known += [str(path.resolve()) for path in files if str(path.resolve()) not in known]
    if known:
        os.environ[BENCHMARKS] = os.pathsep.join(known)


def _wrong(option: click.Option, value: Scalar, ctx: click.Context) -> str:
    """What is wrong with a value of the file for this option; "" if nothing is."""
    cut = isinstance(value, float) and isinstance(option.type, click.types.IntParamType)
    if isinstance(value, bool) or (cut and value != int(value)):
        return f"expected {option.type.name}, got {value!r}"
    try:
        option.type.convert(value, option, ctx)
    except click.BadParameter as error:
        return error.message
    return ""


def load(path: Path) -> File:
    """Read and check a file.

    Raises:
        UsageError: it cannot be read, is no TOML, or has sections or values of the wrong kind.
    """
    try:
        return File.model_validate(_floats(tomllib.loads(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][:3]))
        known = (
            "a price is [PROMPT, COMPLETION], in dollars per million tokens"
            if where.startswith("prices.")
            else "there are [run], [prices], [models.NAME] and [benchmarks]"
        )
        raise UsageError(
            f"{path}: {where}: {first['msg']}; {known}, see docs/settings.md"
        ) from error


def _floats(data: dict[str, Any]) -> dict[str, Any]:
    """Prices as tuples of floats, as strict validation wants them."""
    prices = data.get("prices")
    if isinstance(prices, dict):
        data["prices"] = {
            name: tuple(float(n) if type(n) is int else n for n in pair)
            if isinstance(pair, list)
            else pair
            for name, pair in prices.items()
        }
    for own in data["models"].values() if isinstance(data.get("models"), dict) else ():
        for name in ("temperature", "share", "price_in", "price_out"):
            if isinstance(own, dict) and type(own.get(name)) is int:
                own[name] = float(own[name])
    return data


def _near(key: str, known: Iterable[str]) -> str:
    names = [name.replace("_", "-") for name in known]
    close = difflib.get_close_matches(key, names, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def prices(ctx: click.Context) -> dict[str, str]:
    """Prices of models, as the file states them."""
    found: dict[str, str] = ctx.meta.get(PRICES, {})
    return found


def models(ctx: click.Context) -> dict[str, ModelSpec]:
    """The sections [models.NAME] of the file."""
    found: dict[str, ModelSpec] = ctx.meta.get(MODELS, {})
    return found


def file_options(ctx: click.Context) -> list[click.Option]:
    """The options that the file may set."""
    root = ctx.find_root().command
    command = root.get_command(ctx, "daemon") if isinstance(root, click.Group) else None
    assert command is not None
    skipped = ("json", "help")
    return [
        option
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and not option.is_flag
        if option.name not in skipped
    ]


def read_again(ctx: click.Context) -> dict[str, Any]:
    """The options of a running command as they would be now: the same flags and environment, the
    file as it is."""
    parent = ctx.parent
    assert parent is not None
    use(parent, parent.meta.get(USED))
    arguments = list(ctx.meta[ARGUMENTS])
    fresh = ctx.command.make_context(ctx.info_name, arguments, parent=parent)
    for name in (PRICES, MODELS):
        ctx.meta[name] = parent.meta.get(name, {})
    return dict(fresh.params)


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command(epilog=examples("cambrian config show --origin", "cambrian config show --json"))
@click.option("--origin", is_flag=True, help="Also say where each value comes from.")
@json_option
@common
@click.pass_context
def show(ctx: click.Context, origin: bool, as_json: bool) -> None:
    """Show every setting of a run: its value, and where that comes from.

    Flags override the environment, that overrides cambrian.toml, and that the defaults.
    """
    shared = ctx.ensure_object(Shared)
    rows = [("archive", str(shared.archive), _archive_origin(ctx)), *_rows(ctx)]
    path = ctx.find_root().meta.get(USED)
    if as_json:
        items = [{"name": n, "value": v, "origin": o} for n, v, o in rows]
        show_json({"file": path and str(path), "settings": items, "prices": prices(ctx)})
        return
    if origin:
        shown = [(name, "-" if value is None else value, source) for name, value, source in rows]
        show_table(("setting", "value", "origin"), shown)
    else:
        for name, value, _ in rows:
            say(f"{name} = {'-' if value is None else value}")
    for model, price in prices(ctx).items():
        say(f"price of {model} = {price} ({path})")


def _archive_origin(ctx: click.Context) -> str:
    root = ctx.find_root()
    return _origin(root, next(p for p in root.command.params if p.name == "archive"))


def _rows(ctx: click.Context) -> list[tuple[str, Any, str]]:
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    command = root.command.get_command(root, "daemon")
    assert command is not None
    context = command.make_context("daemon", [], parent=root)
    return [
        (str(option.name), context.params.get(str(option.name)), _origin(context, option))
        for option in file_options(ctx)
    ]


def _origin(context: click.Context, parameter: click.Parameter) -> str:
    source = context.get_parameter_source(str(parameter.name))
    if source is click.core.ParameterSource.ENVIRONMENT:
        names = (
            parameter.envvar if isinstance(parameter.envvar, (list, tuple)) else [parameter.envvar]
        )
        return f"environment: {next((str(n) for n in names if n and os.environ.get(str(n))), '')}"
    if source is click.core.ParameterSource.DEFAULT_MAP:
        return f"file: {context.find_root().meta.get(USED)}"
    if source is click.core.ParameterSource.COMMANDLINE:
        return "flag"
    return "default"
