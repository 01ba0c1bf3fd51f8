"""docs/solve.md: the ten lines with scikit-learn and with river, where there is no Cambrian."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest
from tests.takeaway.test_package import ORIGIN

from cambrian.agents.seeds import load_seed
from cambrian.takeaway.package import package, write

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "solve"


def tool(name: str) -> ModuleType:
    """A script of tools/solve/, as a module."""
    spec = importlib.util.spec_from_file_location(
        f"solve_{name}", ROOT / "tools" / "solve" / f"{name}.py"
    )
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def fresh_environment(folder: Path, source: Path) -> Path:
    """The Python of a new virtual environment in which everything is that is installed here, but
    no Cambrian; and the package whose code is in `source`."""
    venv.create(folder / "venv", with_pip=False)
    shared = folder / "shared"
    shared.mkdir()
    for here in (Path(path) for path in sys.path if path.endswith("-packages")):
        for entry in here.iterdir():
            ours = "cambrian" in entry.name.lower() or entry.suffix == ".pth"
            if not ours and not (shared / entry.name).exists():
                (shared / entry.name).symlink_to(entry)
    home = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (home / "here.pth").write_text(f"{shared}\n{source}\n")
    return folder / "venv" / "bin" / "python"


@pytest.mark.slow
def test_the_ten_lines_run_in_a_fresh_environment_without_cambrian(tmp_path: Path) -> None:
    write(package(load_seed("composed"), ORIGIN, None, "champion"), tmp_path / "champion")
    python = fresh_environment(tmp_path, tmp_path / "champion" / "src")
    tool("tables").write_all(tmp_path)

    def run(*asked: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), *asked], cwd=tmp_path, capture_output=True, text=True, timeout=200
        )

    assert "No module named 'cambrian'" in run("-c", "import cambrian").stderr
    for library, least in (("sklearn", 0.85), ("river", 0.6)):
        script = EXAMPLES / f"with_{library}.py"
        assert len(script.read_text().split("\n\n", 1)[1].strip().splitlines()) <= 10
        done = run(str(script))
        assert done.returncode == 0, done.stderr
        found = re.search(r": (0\.\d+) of \d+ rows", done.stdout)
        assert found is not None and float(found[1]) > least, done.stdout


def test_the_page_is_what_the_stored_solutions_say() -> None:
    page = (ROOT / "docs" / "solve.md").read_text(encoding="utf-8")
    assert page == tool("docs").document(), "run tools/solve/docs.py"


def test_the_tables_are_written_whole(tmp_path: Path) -> None:
    written = tool("tables").write_all(tmp_path)
    lines = {path.name: len(path.read_text().splitlines()) for path in written}
    assert lines == {
        "wine.csv": 179,
        "breast_cancer.csv": 570,
        "bananas.csv": 5301,
        "phishing.csv": 1251,
        "image_segments.csv": 2311,
    }
