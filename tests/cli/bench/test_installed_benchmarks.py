"""A package that brings a benchmark by an entry point, installed in a folder on the path; a folder
whose settings name one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from cambrian.agents.seeds import load_seed
from cambrian.evaluators.calibration import Calibration

ROOT = Path(__file__).resolve().parents[3]
ENTRY = "[cambrian.benchmarks]\n{name} = {target}\n"


def install(site: Path, target: str = "vineyards.wine:Wine") -> None:
    """What pip would leave there: the package, and its dist-info with the entry point."""
    package, info = site / "vineyards", site / "vineyards-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    shutil.copy(ROOT / "examples" / "wine.py", package)
    subprocess.run([sys.executable, ROOT / "examples" / "make_wine.py"], cwd=package, check=True)
    metadata = "Metadata-Version: 2.1\nName: vineyards\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY.format(name="wine", target=target), "utf-8")
    names = sorted(str(p.relative_to(site)) for p in site.rglob("*") if p.is_file())
    (info / "RECORD").write_text("".join(f"{n},,\n" for n in names), encoding="utf-8")


def measured(folder: Path) -> None:
    """The calibration that such a package ships (`cambrian bench check` writes it)."""
    known = Calibration(0.35, 0.97, 400_000_000, 800_000, 0.3, {"floor": "finetune"})
    (folder / "wine-1.json").write_text(json.dumps(asdict(known)), encoding="utf-8")


def cambrian(
    folder: Path, *words: str, site: Path | None = None
) -> subprocess.CompletedProcess[str]:
    given = {k: v for k, v in os.environ.items() if not k.startswith("CAMBRIAN_BENCH")}
    if site is not None:
        given["PYTHONPATH"] = os.pathsep.join([str(site), *filter(None, [given.get("PYTHONPATH")])])
    call = [sys.executable, "-m", "cambrian", *words]
    return subprocess.run(
        call, cwd=folder, env=given, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.timeout(300)
def test_a_package_brings_a_benchmark_that_is_listed_checked_and_shown(
    tmp_path: Path,
) -> None:
    site = tmp_path / "site"
    install(site)
    assert "wine" not in cambrian(tmp_path, "bench", "list").stdout.split()
    listed = cambrian(tmp_path, "bench", "list", site=site)
    assert "wine" in listed.stdout.split(), listed.stderr
    checked = cambrian(tmp_path, "bench", "check", "wine", "--dry", site=site)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("ok ") and "FAIL" not in checked.stdout

    refused = cambrian(tmp_path, "run", "--benchmarks", "wine", "--proposals", "1", site=site)
    assert refused.returncode != 0 and "never calibrated" in refused.stderr

    measured(site / "vineyards")
    shown = cambrian(tmp_path, "bench", "show", "wine", site=site)
    assert shown.returncode == 0 and "vineyard" in shown.stdout


def test_a_worker_judges_by_a_benchmark_of_a_package(tmp_path: Path) -> None:
    """As a run starts it: a process of its own, that inherits where packages lie."""
    site = tmp_path / "site"
    install(site)
    measured(site / "vineyards")
    job = {"benchmark": "wine", "stage": "smoke", "sandbox": "none"}
    given = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", "from cambrian.evaluators.workers.command import main; main(['-'])"],
        input=json.dumps({**job, "files": dict(load_seed("finetune"))}),
        env=given,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["version"]) == ("scored", "1")
    assert "performance_maintenance" in found["metrics"]


def test_settings_name_files_beside_them(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "wine.py", tmp_path)
    subprocess.run([sys.executable, ROOT / "examples" / "make_wine.py"], cwd=tmp_path, check=True)
    assert "wine" not in cambrian(tmp_path, "bench", "list").stdout.split()
    settings = '[benchmarks]\nfiles = ["wine.py"]\n'
    (tmp_path / "cambrian.toml").write_text(settings, encoding="utf-8")
    assert "wine" in cambrian(tmp_path, "bench", "list").stdout.split()
    assert cambrian(tmp_path, "bench", "check", "wine", "--dry").returncode == 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("vineyards.gone:Wine", "vineyards (cambrian.benchmarks: wine) cannot be loaded"),
        ("vineyards.wine:Card", "vineyards (cambrian.benchmarks: wine) cannot be loaded"),
        ("vineyards.wine:FILE", "cambrian.benchmarks.Benchmark from vineyards"),
    ],
    ids=["no-module", "not-made-so", "no-benchmark"],
)
def test_a_package_that_brings_none_is_named(tmp_path: Path, target: str, message: str) -> None:
    install(tmp_path / "site", target)
    listed = cambrian(tmp_path, "bench", "list", site=tmp_path / "site")
    assert listed.returncode == 2 and message in listed.stderr
    assert "Traceback" not in listed.stderr


def test_ours_are_checked_by_name_and_not_measured_again(tmp_path: Path) -> None:
    checked = cambrian(tmp_path, "bench", "check", "label-drift", "--dry")
    assert checked.returncode == 0 and "FAIL" not in checked.stdout
    again = cambrian(tmp_path, "bench", "check", "label-drift")
    assert again.returncode == 2 and "measured already" in again.stderr
