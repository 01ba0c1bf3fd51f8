"""Recombination in a limited process: the same result, and hostile parents end nothing else."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cambrian.agents.edits import EditError
from cambrian.agents.recombine import recombine
from cambrian.agents.recombine.isolated import recombine_in_subprocess
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree

SOURCE = str(Path(__file__).resolve().parents[3] / "src")


@pytest.mark.parametrize("seed", ["7/12", 12])
def test_the_subprocess_gives_the_same_as_the_function(seed: str | int) -> None:
    parents = [load_seed("composed"), load_seed("replay")]
    assert recombine_in_subprocess(parents, seed) == recombine(parents, None, random.Random(seed))


def test_what_cannot_be_recombined_is_an_edit_error_with_the_reason() -> None:
    tree = SourceTree({"learner.py": "class Learner:\n    pass\n"})
    with pytest.raises(EditError, match="nothing to recombine"):
        recombine_in_subprocess([tree], 0)


def test_a_process_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(EditError, match=r"within 0\.01 s"):
        recombine_in_subprocess([load_seed("composed")], 0, timeout_s=0.01)
    assert time.monotonic() - began < 5


def test_the_process_may_not_write_files_and_is_bounded() -> None:
    code = (
        "import resource, sys, io\n"
        "import cambrian.agents.recombine.__main__ as main\n"
        'sys.stdin = io.TextIOWrapper(io.BytesIO(b\'{"parents": [], "seeds": [1]}\'))\n'
        "code = main.main()\n"
        "assert resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0)\n"
        "assert resource.getrlimit(resource.RLIMIT_AS)[0] == main.ADDRESS_SPACE\n"
        "assert resource.getrlimit(resource.RLIMIT_CPU)[0] == main.CPU_SECONDS\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": SOURCE}, capture_output=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "at least one parent" in json.loads(done.stdout)["error"]


def test_nested_code_that_libcst_cannot_visit_is_an_edit_error_or_fine() -> None:
    deep = "x = " + "[" * 90 + "]" * 90 + "\n"
    seed = load_seed("composed")
    tree = seed.replace({"learner.py": seed["learner.py"] + deep})
    try:
        proposal = recombine_in_subprocess([tree], 1)
    except EditError:
        return
    assert proposal.edit.title
