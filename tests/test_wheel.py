"""What is installed works beside packages that have taken the names of our rooms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("archive", "agents", "sandbox", "evaluators", "evolution", "daemon", "cli")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that was built from the sdist, as an index would have it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_the_sdist_holds_the_real_folders_and_no_links(wheel: Path) -> None:
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as sdist:
        members = sdist.getmembers()
    names = {member.name.split("/", 1)[1] for member in members}
    assert {f"src/cambrian/{room}/__init__.py" for room in ROOMS} <= names
    assert not any(name.split("/")[0] in ROOMS for name in names)
    assert not any(member.issym() or member.islnk() for member in members)


def test_the_wheel_made_from_the_sdist_holds_all_that_runs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert {f"cambrian/{room}/__init__.py" for room in ROOMS} <= names
    assert {
        "cambrian/sandbox/image/Dockerfile",
        "cambrian/sandbox/backends/seccomp.json",
        "cambrian/sandbox/runner/zygote.py",
        "cambrian/agents/seeds/composed/learner.py",
        "cambrian/agents/mechanisms/replay/reservoir.py",
        "cambrian/evaluators/calibration/split-mnist-1.json",
        "cambrian/web/templates/base.html",
        "cambrian/web/static/page.css",
        "cambrian/web/static/vendor/htmx.min.js",
        "cambrian/web/static/vendor/licences/uplot.txt",
        "cambrian/py.typed",
    } <= names
    assert not {name.split("/")[0] for name in names} & set(ROOMS)


def test_it_runs_where_other_packages_are_called_agents_and_evaluators(
    wheel: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    for taken in ("agents", "evaluators", "archive", "sandbox"):
        (site / taken).mkdir()
        (site / taken / "__init__.py").write_text("raise ImportError('not ours')\n")
    program = (
        "import cambrian, sys; from cambrian.cli.main import main; "
        "sys.argv = ['cambrian', 'doctor', '--sandbox', 'none', '--json']; "
        "print(cambrian.__file__, file=sys.stderr); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "CAMBRIAN_ARCHIVE": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert str(site) in done.stderr, "the installed copy was not the one that ran"
    assert "Traceback" not in done.stderr, done.stderr
    assert json.loads(done.stdout)["findings"]
