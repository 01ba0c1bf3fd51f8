"""docs/bring-your-own.md: a newcomer who types what it says gets where it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOC = ROOT / "docs" / "bring-your-own.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(python|cambrian)\b")


def blocks() -> list[tuple[str, str, str]]:
    """Language, file name (or nothing) and text of every block, in order."""
    return BLOCK.findall(DOC.read_text(encoding="utf-8"))


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of the tutorial, with this Python and the sandbox that needs no engine."""
    program, *words = line.split()
    start = {"python": [sys.executable], "cambrian": [sys.executable, "-m", "cambrian"]}[program]
    sandboxed = ("check" in words and "--dry" not in words) or "run" in words
    call = [*start, *words, *(["--sandbox", "bubblewrap"] if sandboxed else [])]
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("CAMBRIAN_BENCH")}
    return subprocess.run(call, cwd=folder, env=quiet, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    said: dict[str, str] = {}
    for language, name, text in blocks():
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            for line in text.splitlines():
                done = shell(line, tmp_path)
                assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
                said[line] = done.stdout
        elif language == "python":
            (tmp_path / "block.py").write_text(text, encoding="utf-8")
            done = shell("python block.py", tmp_path)
            assert done.returncode == 0, done.stderr
    assert (tmp_path / "wine-1.json").is_file()
    assert (tmp_path / "wine+each-batch-1.json").is_file()
    assert "wine" in said["cambrian bench list"]
    assert "FAIL" not in "".join(said.values())
    assert "champion" in said["cambrian --archive ./mine run --benchmarks wine.py --proposals 1"]


@pytest.mark.parametrize("name", ["wine.py", "make_wine.py"])
def test_the_examples_are_those_of_the_tutorial(name: str) -> None:
    shown = {file: text for _, file, text in blocks() if file}
    assert (ROOT / "examples" / name).read_text(encoding="utf-8") == shown[name]
