"""kill -9 at every step between two durable writes: the final archive is as if nothing happened."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cambrian import failpoints

ROOT = Path(__file__).parents[2]


def through(folder: Path, *names: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "cambrian.testing.forked_runs", str(folder), *names],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_a_run_that_is_killed_at_any_point_ends_like_one_that_is_not(
    tmp_path: Path, part: int
) -> None:
    names = sorted(failpoints.POINTS)[part::3]
    assert {name: said for name, said in through(tmp_path, *names).items() if said} == {}


def test_a_point_that_nobody_declared_is_an_error() -> None:
    with pytest.raises(KeyError, match="expected a fail point"):
        failpoints.arm("no.such")


def test_every_point_in_the_code_is_declared_and_every_declared_one_is_in_the_code() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    reached = re.findall(r'^ +reach\("([a-z_.]+)"\)$', source, re.MULTILINE)
    assert sorted(reached) == sorted(failpoints.POINTS)
    assert all(failpoints.POINTS.values())
