"""`cambrian bench new`: the file that it writes is a benchmark that keeps every promise."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cambrian.cli.main import cli
from cambrian.evaluators import conformance, plugins
from cambrian.evaluators.lab import JUDGED
from cambrian.evaluators.watching import WatchingLab


def make(folder: Path, kind: str, *more: str, measure: bool = False) -> tuple[Path, Result]:
    rng = np.random.default_rng(3)
    rows = ["a,b,where,kind,amount"]
    for _ in range(160):
        a, b = rng.standard_normal(2)
        kinds = "left" if a > 0 else "right"
        rows.append(f"{a:.5f},{b:.5f},{'xyz'[rng.integers(3)]},{kinds},{2 * a - b:.5f}")
    (folder / "my.csv").write_text("\n".join(rows) + "\n")
    file = folder / f"{kind}-{folder.name[-12:]}.py".replace("_", "-")
    label = "amount" if kind == "regression" else "kind"
    asked = ["bench", "new", str(folder / "my.csv"), "--label", label, "--kind", kind, *more]
    asked += ["-o", str(file), "--sandbox", "none", *([] if measure else ["--no-measure"])]
    return file, CliRunner().invoke(cli, asked)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("drift", ()),
        ("regression", ()),
        ("class-incremental", ()),
        ("domain", ("--domain", "where")),
    ],
)
def test_each_kind_is_a_benchmark_that_keeps_every_promise(
    tmp_path: Path, kind: str, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    file, result = make(tmp_path, kind, *more)
    assert result.exit_code == 0, result.output
    for finding in conformance.check(plugins.load(file)):
        assert finding.kept, finding


def test_what_was_measured_makes_it_ready_for_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    file, result = make(tmp_path, "drift", measure=True)
    assert result.exit_code == 0, result.output
    kept = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert 0.4 < kept["floor"] < 0.8
    assert kept["details"]["replay scores"] > kept["floor"]
    assert kept["flops"] > 0 and kept["state_bytes"] > 0
    again = make(tmp_path, "drift")[1]
    assert again.exit_code == 2 and f"{file} is there already" in again.output


def test_the_sealed_run_goes_through_all_rows_and_a_search_never_sees_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    bench: Any = plugins.load(make(tmp_path, "drift")[0])

    def seen(stage: str, seed: int) -> set[bytes]:
        lab = WatchingLab(bench, stage, seed)
        bench.conduct(lab)
        shown = [array for what, array in lab.watched[JUDGED].shown if array.dtype.kind == "f"]
        return {np.sort(row).tobytes() for array in shown for row in array}

    whole, searched = seen("sealed", 0), set.union(*(seen("full", seed) for seed in range(8)))
    assert searched < whole
    assert len(searched) == pytest.approx(0.6 * len(whole), abs=1)
    _, _, start = bench.series("sealed", 0)
    assert len(searched) - bench.batch < start <= len(searched)


def test_a_domain_without_its_column_is_refused(tmp_path: Path) -> None:
    _, result = make(tmp_path, "domain")
    assert result.exit_code == 2
    assert "--kind domain and --domain COLUMN go together" in result.output


def test_no_name_of_a_file_or_a_column_becomes_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    ran = tmp_path / "ran"
    evil = f'"""\nopen({str(ran).replace("/", chr(92) + "x2f")!r}, "w")\n"""\\'
    file, target = tmp_path / f"{evil.replace('/', '')}.csv", tmp_path / "none.py"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([evil, "other", "\\told'"])
        writer.writerows([37 * n % 80, -n, "ab"[n % 2] + '"""\\'] for n in range(80))
    asked = ["bench", "new", str(file), "--label", "\\told'", "-o", str(target), "--no-measure"]
    result = CliRunner().invoke(cli, asked)
    assert result.exit_code == 0, result.output
    bench: Any = plugins.load(target)
    assert type(bench).__name__ == "TableNone" and bench.file == file
    assert bench.plan.columns[0].name == evil and not ran.exists()


class Echo:
    """Says the last label that it was told, again and again: it knows nothing else."""

    def prequential(self, steps: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
        last = 0.0
        for x, y in steps:
            yield np.full((len(x), 1), last)
            last = float(y[-1, 0])


@pytest.mark.parametrize("stage", ["full", "sealed"])
def test_the_last_label_that_was_told_is_0_of_regression(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    bench: Any = plugins.load(make(tmp_path, "regression")[0])
    assert bench.batch > 1
    assert bench.run(Echo(), stage, 0).raw == pytest.approx(0.0, abs=1e-6)


def test_a_file_whose_check_fails_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    rows = [f"{n},{'ab'[n % 2]}" for n in range(80)]
    (tmp_path / "my.csv").write_text("\n".join(["a,told", *rows]) + "\n")
    asked = ["bench", "new", str(tmp_path / "my.csv"), "--label", "told", "--sandbox", "none"]
    target = tmp_path / "drift.py"
    (tmp_path / "drift-1.json").mkdir()  # what was measured cannot be written there
    result = CliRunner().invoke(cli, [*asked, "-o", str(target)])
    assert result.exit_code != 0 and not target.exists(), result.output
