"""Every setting of a run: its flag wins over the environment, that over the file, the default."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.cli.conftest import Command

from cambrian.cli.main import cli
from cambrian.cli.ops.config import OwnModel, file_options, find
from cambrian.cli.run.options import PREFIX, settings_of
from cambrian.errors import UsageError
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.selection.selection import STRATEGIES
from cambrian.evolution.settings import SandboxName, Settings, Strategy, schema
from cambrian.sandbox.backends.registry import NAMES

# Three values of each, none of which is the default: in the file, the environment, as a flag.
VALUES: dict[str, tuple[object, object, object]] = {
    "proposals": (11, 12, 13),
    "hours": (1.5, 2.5, 3.5),
    "judged": (21, 22, 23),
    "agents": (31, 32, 33),
    "evaluations": (41, 42, 43),
    "cpu_hours": (4.5, 5.5, 6.5),
    "tokens": (51, 52, 53),
    "dollars": (7.5, 8.5, 9.5),
    "price": ("1,2", "3,4", "5,6"),
    "approve": ("all", "champion", "every:3"),
    "patience": (1.25, 2.25, 3.25),
    "workers": (3, 4, 5),
    "seed": (61, 62, 63),
    "rewriter": ("model", "model", "model"),
    "model": ("a", "b", "c"),
    "answer_tokens": (101, 102, 103),
    "variant_tokens": (201, 202, 203),
    "variant_dollars": (0.1, 0.2, 0.3),
    "judging_price": (0.5, 0.6, 0.7),
    "evidence_tokens": (2001, 2002, 2003),
    "improver": ("plan", "all", "diagnose"),
    "sandbox": ("docker", "bubblewrap", "none"),
    "benchmarks": ("label-drift", "digit-sums", "split-mnist"),
    "suite": ("drift", "continual", "plasticity"),
    "order": ("free", "free", "free"),
    "selection": ("clade", "power-law", "uniform"),
    "tuning": ("cmaes", "cmaes", "cmaes"),
    "seeds": ("raced", "raced", "raced"),
    "admission": ("keep-all", "better", "pareto"),
    "device": ("cuda", "cuda", "cuda"),
    "drain": (71.5, 72.5, 73.5),
    "metrics": (8101, 8102, 8103),
}


def _file(folder: Path) -> Path:
    lines = [f"{name.replace('_', '-')} = {json.dumps(each[0])}" for name, each in VALUES.items()]
    path = folder / "cambrian.toml"
    path.write_text("\n".join(["[run]", *lines]))
    return path


def _shown(command: Command, **env: str) -> dict[str, tuple[object, str]]:
    done = command("config", "show", "--json", env=env)
    assert done.returncode == 0, done.stderr
    settings = json.loads(done.stdout)["settings"]
    return {one["name"]: (one["value"], one["origin"]) for one in settings}


def test_every_setting_says_where_it_comes_from(command: Command, tmp_path: Path) -> None:
    file = _file(tmp_path)
    usual = _shown(command)
    assert set(usual) == {"archive", *VALUES}
    assert {origin for name, (_, origin) in usual.items() if name != "archive"} == {"default"}
    in_file = _shown(command, CAMBRIAN_CONFIG=str(file))
    around = {f"{PREFIX}{name.upper()}": str(each[1]) for name, each in VALUES.items()}
    outside = _shown(command, CAMBRIAN_CONFIG=str(file), **around)
    for name, (first, second, _) in VALUES.items():
        assert usual[name][0] not in (first, second)
        assert in_file[name] == (first, f"file: {file}")
        assert outside[name] == (second, f"environment: {PREFIX}{name.upper()}")


def test_a_flag_wins_over_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, each in VALUES.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", str(each[1]))
    flags = [f"--{name.replace('_', '-')}={each[2]}" for name, each in VALUES.items()]
    with cli.make_context("cambrian", ["--config", str(_file(tmp_path)), "daemon"]) as root:
        daemon = cli.get_command(root, "daemon")
        assert daemon is not None
        assert {option.name for option in file_options(root)} == set(VALUES)
        given = daemon.make_context("daemon", flags, parent=root).params
    assert {name: given[name] for name in VALUES} == {n: each[2] for n, each in VALUES.items()}
    assert settings_of({**given, "suite": ""}).workers == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workers = 0", "[run] workers: 0 is not in the range"),
        ("workers = 'many'", "[run] workers: 'many' is not a valid integer"),
        ("seed = 1.5", "[run] seed: expected integer range, got 1.5"),
        ("workers = true", "[run] workers: expected integer range, got True"),
        ("order = 'wild'", "[run] order: 'wild' is not one of"),
    ],
)
def test_a_wrong_value_in_the_file_is_told_with_its_place(
    command: Command, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "cambrian.toml"
    file.write_text(f"[run]\n{text}\n")
    done = command("config", "show", env={"CAMBRIAN_CONFIG": str(file)})
    assert done.returncode == 2
    assert done.stderr.startswith(f"cambrian: {file}: {said}"), done.stderr


def test_a_wrong_value_in_the_environment_is_told_with_its_name(command: Command) -> None:
    done = command("config", "show", env={"CAMBRIAN_RUN_WORKERS": "0"})
    assert done.returncode == 2 and "(from CAMBRIAN_RUN_WORKERS)" in done.stderr


@pytest.mark.parametrize("price", ["[1]", "[-1, 2]", "[1, inf]", "'1,2'", "[1, 2, 3]"])
def test_a_price_is_two_amounts(command: Command, tmp_path: Path, price: str) -> None:
    file = tmp_path / "cambrian.toml"
    file.write_text(f"[prices]\nm = {price}\n")
    done = command("config", "show", env={"CAMBRIAN_CONFIG": str(file)})
    assert done.returncode == 2
    assert "a price is [PROMPT, COMPLETION]" in done.stderr


def test_settings_come_from_flag_environment_file_and_default_in_this_order(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "cambrian.toml"
    file.write_text(
        '[run]\nworkers = 3\ncpu-hours = 4\nbenchmarks = ["split-mnist", "label-drift"]\n'
        '[prices]\n"some/model" = [2, 7.5]\n'
    )
    env = {"CAMBRIAN_CONFIG": str(file), "CAMBRIAN_RUN_SEED": "9", "CAMBRIAN_RUN_WORKERS": "5"}
    done = command("config", "show", "--json", env=env)
    found = json.loads(done.stdout)
    shown = {one["name"]: (one["value"], one["origin"]) for one in found["settings"]}
    assert shown["workers"] == (5, "environment: CAMBRIAN_RUN_WORKERS")
    assert shown["seed"] == (9, "environment: CAMBRIAN_RUN_SEED")
    assert shown["cpu_hours"] == (4.0, f"file: {file}")
    assert shown["benchmarks"] == ("split-mnist,label-drift", f"file: {file}")
    assert shown["order"] == ("fixed", "default")
    assert found["prices"] == {"some/model": "2.0,7.5"}
    table = command("config", "show", "--origin", env=env).stdout
    assert f"file: {file}" in table


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nworker = 3\n", "did you mean 'workers'"),
        ("[runs]\n", "runs"),
        ("[run]\nworkers = {a = 1}\n", "run.workers"),
        ("[prices]\nm = [1]\n", "prices.m"),
        ("[prices]\nm = 'free'\n", "prices.m"),
        ("run = 3\n", "run"),
        ("[run\n", "is no TOML"),
        ("[run]\ncontrol = true\n", "which is no setting"),
    ],
)
def test_what_nobody_knows_in_the_file_is_an_error(
    command: Command, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "cambrian.toml").write_text(text)
    done = command("status", env={"CAMBRIAN_CONFIG": str(tmp_path / "cambrian.toml")})
    assert done.returncode == 2
    assert said in done.stderr and "cambrian.toml" in done.stderr


def test_the_file_here_is_found_before_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert find() is None
    (tmp_path / "cambrian").mkdir()
    (tmp_path / "cambrian" / "cambrian.toml").touch()
    assert find() == tmp_path / "cambrian" / "cambrian.toml"
    (tmp_path / "cambrian.toml").touch()
    assert find() == Path("cambrian.toml")


def test_the_schema_names_what_there_is() -> None:
    """Its words are literals, so that a command line is read without importing what they name."""
    assert get_args(SandboxName) == NAMES
    assert get_args(Strategy) == tuple(STRATEGIES)
    assert {each.name for each in schema() if not each.about.help} == {"endpoints"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"workers": 2000}, "workers must be at most 1024, got 2000"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"hours": 0.0}, "hours must be above 0"),
        ({"order": "wild"}, "expected order out of fixed, free, got 'wild'"),
        ({"selection": "best"}, "expected selection out of dgm, .*, got 'best'"),
        ({"approve": "some"}, "expected approve to be"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Settings(**{"proposals": 1, **wrong})


def test_a_section_of_a_model_has_what_a_model_has_and_its_price() -> None:
    """The file's schema and what a run keeps are two classes; they hold the same."""
    own = {name: one.default for name, one in OwnModel.model_fields.items()}
    assert own.pop("price_in") is None and own.pop("price_out") is None
    assert own == {one.name: one.default for one in dataclasses.fields(ModelSpec)}
