"""The help pages, what importing costs, and where output goes."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import click
import pytest

import cambrian
from cambrian.cli.main import cli
from cambrian.cli.ops.config import file_options
from cambrian.cli.render.pages import _commands, pages, settings_page
from cambrian.evolution.settings import LIMITS, Settings

from .conftest import Cli, Command, EvolvedArchive

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = ("torch", "scipy", "sklearn", "matplotlib", "docker", "openai", "git", "libcst")
EVERY = list(_commands("cambrian", cli, None))


def test_the_documented_help_is_what_the_commands_say() -> None:
    assert DOCS.read_text(encoding="utf-8") == pages(), "run tools/cli_docs.py"
    settings = DOCS.with_name("settings.md").read_text(encoding="utf-8")
    assert settings == settings_page(), "run tools/cli_docs.py"


def test_no_option_of_a_run_is_dead() -> None:
    """Each reaches the settings (or the service), and each setting is read by somebody."""
    fields = {field.name for field in dataclasses.fields(Settings)}
    served = {"price", "seeds", "drain", "metrics"}  # prices, rules, and the service
    names = {str(option.name) for option in file_options(click.Context(cli))}
    assert names - served <= fields
    source = DOCS.parents[1] / "src" / "cambrian"
    code = "".join(
        path.read_text()
        for path in source.rglob("*.py")
        if path.name != "settings.py" and "cli" not in path.parts
    )
    limits = set(LIMITS)
    for name in fields - limits:
        assert re.search(rf"settings\.{name}\b|\b{name}=", code), name
    for name in limits:
        assert f'"{name}"' in code


@pytest.mark.parametrize(
    ("path", "each"), [(p, c) for p, c, _ in EVERY], ids=[p for p, *_ in EVERY]
)
def test_every_command_says_what_it_does_and_explains_each_option(
    path: str, each: click.Command
) -> None:
    assert each.help, path
    first = each.help.strip().splitlines()[0]
    assert first.endswith("."), f"{path}: the first line is no sentence: {first}"
    if not isinstance(each, click.Group):
        assert "Example" in (each.epilog or ""), path
    for parameter in each.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{path} {parameter.opts}"


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("run", "--help"), ("status",), ("status", "--json"), ("tree",)],
)
def test_what_is_called_often_imports_nothing_heavy(
    command: Command, arguments: tuple[str, ...]
) -> None:
    program = (
        "import sys, json\n"
        "from cambrian.cli.main import cli\n"
        "cli(sys.argv[1:], standalone_mode=False, prog_name='cambrian')\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(json.dumps(heavy), file=sys.stderr)\n"
    )
    result = command(*arguments, python=("-c", program))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stderr.splitlines()[-1]) == []


def test_both_ways_to_start_it_are_the_same(command: Command) -> None:
    expected = f"cambrian {cambrian.__version__}\n"
    for module in ("cambrian", "cambrian.cli.main"):
        assert command("--version", python=("-m", module)).stdout == expected


def test_the_archive_may_be_named_before_or_after_the_command(
    command: Command, grown: EvolvedArchive, tmp_path: Path
) -> None:
    elsewhere = {"CAMBRIAN_ARCHIVE": str(tmp_path / "none")}
    here = ("--archive", str(grown.path))
    for arguments in ((*here, "tree"), ("tree", *here), ("agent", "show", "@best", *here)):
        assert command(*arguments, env=elsewhere).returncode == 0
    assert command("tree", env=elsewhere).returncode == 3


def test_without_a_name_the_archive_is_in_the_users_data_directory(
    command: Command, tmp_path: Path
) -> None:
    result = command("status", env={"CAMBRIAN_ARCHIVE": "", "XDG_DATA_HOME": str(tmp_path)})
    assert result.returncode == 3
    assert f"{tmp_path}/cambrian/archive" in result.stderr


def test_options_of_a_run_come_from_the_environment(command: Command) -> None:
    # Settings are checked before anything is touched, so a wrong one shows that it was read.
    for name, value in (("RUN_WORKERS", "0"), ("RUN_ORDER", "x"), ("RUN_BENCHMARKS", "nope")):
        result = command("run", env={f"CAMBRIAN_{name}": value})
        assert result.returncode in (2, 3)
        assert value in result.stderr


def test_data_and_the_rest_go_to_different_places(run_cli: Cli) -> None:
    result = run_cli("agent", "list", "--limit", "1", "--json")
    json.loads(result.stdout)
    assert result.stderr == ""
    cut = run_cli("agent", "list", "--limit", "1")
    assert "--limit 0" in cut.stderr
    assert "--limit 0" not in cut.stdout
