"""docs/tutorials: what they tell a newcomer to type is in examples/, and does what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import EvolvedArchive

from cambrian.testing.endpoint import endpoint
from cambrian.testing.rewrites import Researcher

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = EXAMPLES / "tutorials"
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(sh|python)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHIM = """#!/bin/sh
case " $* " in
*" --dry "*) exec "{python}" -m cambrian "$@" ;;
*" bench new "* | *" bench check "* | *" run "* | *" import "* | *" export "*)
    exec "{python}" -m cambrian "$@" --sandbox bubblewrap ;;
*) exec "{python}" -m cambrian "$@" ;;
esac
"""


def follow(script: str, folder: Path, **more: str) -> str:
    """Type a tutorial's commands; the sandbox is the one that needs no engine."""
    programs = folder / ".programs"
    programs.mkdir()
    (programs / "cambrian").write_text(SHIM.format(python=sys.executable))
    (programs / "cambrian").chmod(0o755)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CAMBRIAN_", "OPENAI_"))}
    env |= {"PATH": f"{programs}:{env['PATH']}", **more}
    call = ["bash", "-eu", str(SCRIPTS / script)]
    done = subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_tutorial_is_that_of_an_example(page: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks
    script = SCRIPTS / f"{page.stem.replace('-', '_')}.sh"
    for language, name, text in blocks:
        if language == "python":
            found = [path for path in EXAMPLES.rglob(name) if path.is_file()]
            assert [path.read_text(encoding="utf-8") for path in found] == [text], name
        else:
            assert text in script.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_table_of_ones_own_becomes_a_benchmark_an_archive_and_a_package(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "make_wine.py", tmp_path)
    said = follow("own_data.sh", tmp_path)
    assert "Champion" in said
    assert (tmp_path / "champion" / "pyproject.toml").is_file()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_benchmark_of_ones_own_is_sound_and_searched(tmp_path: Path) -> None:
    shutil.copy(SCRIPTS / "clouds.py", tmp_path)
    said = follow("own_benchmark.sh", tmp_path)
    assert "FAIL" not in said and "the ceiling is at least 0.3 above the floor" in said
    assert (tmp_path / "clouds-1.json").is_file() and "Champion" in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_mechanism_of_ones_own_learns_and_is_a_seed_agent(tmp_path: Path) -> None:
    shutil.copy(SCRIPTS / "own_mechanism.py", tmp_path)
    shutil.copy(EXAMPLES / "parts" / "lion.py", tmp_path)
    said = follow("own_mechanism.sh", tmp_path)
    accuracy = re.search(r"never saw: (\d\.\d+)", said)
    assert accuracy and float(accuracy[1]) > 0.9
    assert "Lion, with replay" in said.split("The tree")[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_of_ones_own_is_asked_and_what_it_used_is_told(tmp_path: Path) -> None:
    with endpoint(Researcher(seed=1)) as server:
        said = follow("own_model.sh", tmp_path, OPENAI_BASE_URL=server.url, OPENAI_API_KEY="none")
    assert len(server.requests) == 2  # the check, and the proposal
    assert "some-model" in said and "The tree" in said


def test_an_archive_answers_the_questions_of_the_pandas_tutorial(tmp_path: Path) -> None:
    grown = EvolvedArchive(tmp_path / "archive")
    call = [sys.executable, str(SCRIPTS / "read_archive.py"), str(grown.path)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "admitted" in done.stdout and "gain" in done.stdout
