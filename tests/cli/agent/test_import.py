"""agent import: a learner of one's own becomes a seed agent, or is refused and nothing is added."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.cli.main import cli

MINE = '''"""A learner that always gives the same answer."""

import torch
from cambrian.agents.contract import Learner as Base


class Learner(Base):
    def observe(self, x, y, task=None):
        self.last = y[-1]

    def predict(self, x, task=None):
        return torch.zeros(len(x), self.spec.outputs)
'''


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    with Archive.create(path) as opened:
        tree = load_seed("finetune")
        opened.agents.add_seed(tree.identity, tree, "finetune")
    return path


def bring(archive: Path, what: Path, *more: str) -> Result:
    asked = ["agent", "import", str(what), "--sandbox", "none", "--archive", str(archive), *more]
    return CliRunner().invoke(cli, asked)


def titles(archive: Path) -> list[str]:
    with Archive.open(archive, read_only=True) as opened:
        return [seed.title for seed in opened.agents.seeds()]


def test_a_file_with_a_learner_joins_as_a_seed_agent(archive: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    result = bring(archive, file)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("#2 ") and result.stdout.endswith(" mine\n")
    with Archive.open(archive, read_only=True) as opened:
        (own,) = [seed for seed in opened.agents.seeds() if seed.title == "mine"]
        assert set(opened.agents.files(own.id)) == {"improver.py", "learner.py"}
        assert own.score is None


def test_a_folder_with_parts_joins_as_well(archive: Path, tmp_path: Path) -> None:
    load_seed("composed").write_to(tmp_path / "mine")
    result = bring(archive, tmp_path / "mine", "--title", "my parts")
    assert result.exit_code == 0, result.output
    assert titles(archive) == ["finetune", "my parts"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("class Other: pass\n", 2, "expected a top-level class Learner"),
        (f"import pandas\n{MINE}", 2, "import of 'pandas'"),
        (MINE.replace("torch.zeros(", "torch.zeros(1, "), 5, "it failed on label-drift"),
        (load_seed("finetune")["learner.py"] + "# mine\n", 5, "the archive has this code as"),
    ],
)
def test_what_is_no_agent_fails_or_is_known_is_refused(
    archive: Path, tmp_path: Path, text: str, code: int, said: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    result = bring(archive, file)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert titles(archive) == ["finetune"]


def test_a_title_that_is_taken_and_a_missing_file_are_refused(
    archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "replay.py").write_text(MINE)
    result = bring(archive, tmp_path / "replay.py")
    assert result.exit_code == 2 and "expected a title that no seed agent has" in result.output
    assert bring(archive, tmp_path / "none.py").exit_code == 3
