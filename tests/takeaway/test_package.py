"""A package of an agent: installed alone, it answers what the agent answered in the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import cambrian
from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.cli.main import cli
from cambrian.errors import Refused, UsageError
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.takeaway.package import learner_files, package, write
from cambrian.takeaway.recording import BATCH, record

NOTHING = {"mean": None, "lower": None, "upper": None}
ORIGIN: dict[str, Any] = {
    "id": "f" * 64,
    "title": "a\n`title` of <a> model",
    "cambrian": "0",
    "score": NOTHING,
    "benchmarks": [],
    "sealed": None,
    "lineage": [],
    "papers": [],
}


def without_cambrian(folder: Path) -> dict[str, str]:
    """An environment in which `cambrian` cannot be imported, whatever is installed."""
    blocked = folder / "blocked"
    blocked.mkdir(exist_ok=True)
    (blocked / "cambrian.py").write_text("raise ImportError('not here')\n")
    return {**os.environ, "PYTHONPATH": str(blocked), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "archive"
    with Archive.create(path) as opened:
        for name in ("finetune", "composed"):
            tree = load_seed(name)
            opened.agents.add_seed(tree.identity, tree, name)
    return path


def test_an_exported_agent_answers_to_the_bit_as_in_its_archive_without_cambrian(
    archive: Path, tmp_path: Path
) -> None:
    folder, agent = tmp_path / "out", load_seed("composed").identity
    asked = ["agent", "export", agent, "-o", str(folder), "--name", "mine", "--sandbox", "none"]
    result = CliRunner().invoke(cli, [*asked, "--archive", str(archive), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["id"] == agent
    tests = [sys.executable, "-m", "pytest", "-q", "tests/test_same_answers.py"]
    done = subprocess.run(
        tests, cwd=folder, env=without_cambrian(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with Archive.open(archive, read_only=True) as opened:
        recorded = record(opened.agents.files(agent), PlainBackend())
    kept = np.load(folder / "tests/answers.npz")
    assert kept["scores"].tobytes() == recorded.scores.tobytes()
    assert (recorded.scores[-10 * BATCH :].argmax(1) == recorded.y[-10 * BATCH :]).mean() > 0.6


@pytest.mark.slow
def test_scikit_learns_own_checks_pass_and_river_learns(tmp_path: Path) -> None:
    write(package(load_seed("finetune"), ORIGIN, None, "mine"), tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short"],
        cwd=tmp_path / "out",
        env=without_cambrian(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_a_package_names_nothing_of_ours_and_brings_the_licence() -> None:
    made = package(load_seed("composed"), ORIGIN, None)
    code = [text.decode() for path, text in made.items() if path.endswith(".py")]
    assert not any("import cambrian" in text or "from cambrian" in text for text in code)
    assert "src/agent_ffffffffff/agent/parts/mlp.py" in made
    assert not any("improver" in path for path in made)
    root = Path(cambrian.__file__).parents[2] / "LICENSE"
    assert made["LICENSE"] == root.read_bytes()
    assert "a title of a model" in made["README.md"].decode()


def test_what_a_card_says_of_a_paper_is_no_markup_in_the_readme() -> None:
    paper = {"part": "parts/a.py", "title": "a\n# <b>`x`", "paper": "[here](evil)\n\n![](x)"}
    page = package(load_seed("finetune"), {**ORIGIN, "papers": [paper]}, None)["README.md"]
    assert "- `parts/a.py`: a b x. here (evil) ! (x)\n" in page.decode()


def test_a_missing_value_counts_as_the_mean_in_the_face_of_river(tmp_path: Path) -> None:
    write(package(load_seed("finetune"), ORIGIN, None, "mine"), tmp_path / "out")
    asked = ["-m", "pytest", "-q", "tests/test_online.py", "-k", "missing"]
    done = subprocess.run(
        [sys.executable, *asked],
        cwd=tmp_path / "out",
        env=without_cambrian(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_improver_and_its_parts_stay_behind() -> None:
    files = {**load_seed("composed"), "parts/only_mine.py": "X = 1\n"}
    files["improver.py"] += "\nfrom parts.only_mine import X\n"
    kept = learner_files(files)
    assert "parts/mlp.py" in kept
    assert not {"improver.py", "parts/only_mine.py"} & set(kept)


def test_an_agent_that_is_no_classifier_is_refused() -> None:
    broken = {"learner.py": "class Learner:\n    def __init__(self, *a, **k):\n        1 / 0\n"}
    with pytest.raises(Refused, match="does not run as a classifier of rows"):
        record(broken, PlainBackend())


@pytest.mark.parametrize("name", ["torch", "Two", "a-b", "class", "match", "json", "mine_"])
def test_a_name_that_cannot_be_imported_or_is_taken_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected a name for the package"):
        package(load_seed("finetune"), ORIGIN, None, name)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(UsageError, match="new or empty"):
        write({"a": b""}, tmp_path)
