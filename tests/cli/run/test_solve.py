"""cambrian solve: from a table to a learner and an honest comparison, stopped and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cambrian.archive import Archive
from cambrian.cli.main import cli
from cambrian.cli.render.solution import show_solution
from cambrian.solving.baselines import baselines


def write_table(folder: Path, rows: int = 150) -> Path:
    """Two columns and a label that half of the time follows one of them, then the other."""
    rng = np.random.default_rng(5)
    lines = ["a,b,kind"]
    for row in range(rows):
        a, b = rng.standard_normal(2)
        lines.append(f"{a:.4f},{b:.4f},{'up' if (a if row < rows / 2 else b) > 0 else 'down'}")
    file = folder / "turns.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def solve(folder: Path, *more: str) -> subprocess.Popen[str]:
    asked = ["solve", "turns.csv", "--label", "kind", "--sandbox", "bubblewrap", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "cambrian", *asked],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("CAMBRIAN_BENCH")},
    )


def wait_for(folder: Path, condition: str, seconds: float = 200.0) -> None:
    """Until a query of the archive has a row."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        if (folder / "turns-solved/archive/archive.db").is_file():
            with Archive.open(folder / "turns-solved/archive", read_only=True) as archive:
                if archive.database.rows(condition):
                    return
    pytest.fail(f"nothing came of {condition}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_is_stopped_goes_on_and_ends_with_a_verdict_and_a_package(tmp_path: Path) -> None:
    write_table(tmp_path)
    first = solve(tmp_path, "--minutes", "1.5")
    wait_for(tmp_path, "SELECT 1 FROM agents WHERE status = 'seed' AND score IS NOT NULL")
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=120)
    assert first.returncode == 130, err
    assert "this takes at most about" in err
    assert "the same command goes on from here" in err
    assert "no agent is judged on sealed rows" in out and "the champion, #" not in table_of(out)
    assert not (tmp_path / "turns-solved/champion").exists()

    second = solve(tmp_path, "--minutes", "1.5", "--json")
    out, err = second.communicate(timeout=300)
    assert second.returncode == 0, err
    found = json.loads(out)
    assert "going on in" in err and found["finished"]
    assert [row["name"] for row in found["baselines"]] == list(baselines())
    assert all(row["mean"] is not None for row in found["baselines"]), found["baselines"]
    assert len(found["agents"]["champion"]["by_seed"]) == 5
    assert found["verdict"]["winner"] in ("champion", "baseline", "level")
    assert found["table"]["judged"] == pytest.approx(60, abs=12)
    assert (tmp_path / "turns-solved/champion/tests/answers.npz").is_file()
    kept = json.loads((tmp_path / "turns-solved/solution.json").read_text())
    assert kept["verdict"] == found["verdict"]

    began = time.monotonic()
    third = solve(tmp_path, "--minutes", "1.5", "--json")
    again = json.loads(third.communicate(timeout=120)[0])
    assert third.returncode == 0 and time.monotonic() - began < 60
    assert again["agents"] == found["agents"] and again["sealed_use"] == found["sealed_use"]


def table_of(out: str) -> str:
    return out.partition("The usual choices on the sealed rows")[2]


def test_too_few_minutes_are_refused_with_what_is_needed(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    asked = ["solve", str(table), "--label", "kind", "--minutes", "0.1", "--sandbox", "none"]
    result = CliRunner().invoke(cli, [*asked, "-o", str(tmp_path / "out")])
    assert result.exit_code == 5, result.output
    assert "expected time to judge the seed agents and to report" in result.output
    assert "give --minutes" in result.output


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--label", "none"], 2, "expected a column 'none' (the label)"),
        (["--label", "kind", "--kind", "domain"], 2, "go together"),
        (["--label", "kind", "--from", "nowhere"], 3, "nowhere is not a Cambrian archive"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    tmp_path: Path, more: list[str], code: int, said: str
) -> None:
    table = write_table(tmp_path)
    asked = ["solve", str(table), *more, "--minutes", "1", "--sandbox", "none"]
    result = CliRunner().invoke(cli, [*asked, "-o", str(tmp_path / "out")])
    assert result.exit_code == code, result.output
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_a_regression_names_its_measure_and_a_loss_is_plain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def one(title: str, by: str, mean: float | None, reason: str = "") -> dict[str, Any]:
        bounds = {"lower": None, "upper": None} if mean is None else {"lower": mean, "upper": mean}
        seeds = {} if mean is None else {"0": mean, "1": mean}
        return {
            "title": title,
            "by": by,
            "mean": mean,
            "reason": reason,
            "seconds": 1.0,
            **bounds,
            "by_seed": seeds,
        }

    guests = {"guests": [{"came_from": "old", "reason": why} for why in ("", "", "the same")]}
    ridge, river = one("ridge", "scikit-learn", 0.9), "not installed: pip install 'river'"
    show_solution(
        {
            "finished": True,
            "table": {
                "file": "load.csv",
                "label": "load",
                "inputs": 3,
                "kind": "regression",
                "order": "hour",
                "domain": "",
                "judged": 40,
                "batch": 5,
                "measure": "explained",
                "one_row": 0.0,
            },
            "search": {"judged": 3, "admitted": 1, "seconds": 30.0, "scores": {}, **guests},
            "sealed_use": {"said": "once, for 1 agent (5 evaluations)"},
            "agents": {"champion": one("the champion, #4", "cambrian", 0.8)},
            "baselines": [one("Hoeffding tree", "river", None, river), ridge],
            "verdict": {"text": "Ridge is better than the champion by 0.100: use that."},
        },
        Path("out"),
    )
    shown = capsys.readouterr().out
    assert "squared error that is gone" in shown and "in the order of hour" in shown
    assert "It began with 2 agents of old, too." in shown
    assert shown.index("ridge") < shown.index("the champion, #4") < shown.index(river)
    assert "use that." in shown and "used once, for 1 agent" in shown
