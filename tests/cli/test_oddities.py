"""Odd surroundings: no home, closed streams, a full disk, few descriptors, odd paths."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

OURS = (sys.executable, "-c", "from cambrian.cli.main import main; main()")


def _run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A shell script in which "$@" is the command line."""
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *OURS, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def _no_home() -> str:
    """Python that gives up its home: as a user with no entry in the list of users."""
    return (
        "import os, pwd\n"
        "def nobody(key): raise KeyError(key)\n"
        "pwd.getpwuid = pwd.getpwnam = nobody\n"
        "for name in list(os.environ):\n"
        "    if name in ('HOME', 'USER', 'LOGNAME') or name.startswith(('XDG_', 'CAMBRIAN_')):\n"
        "        del os.environ[name]\n"
    )


def _homeless(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        f"{_no_home()}import sys\nsys.argv = ['cambrian', *{list(arguments)!r}]\n"
        "from cambrian.cli.main import main\nmain()"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )


def test_without_a_home_one_line_says_what_to_set() -> None:
    result = _homeless("status")
    assert result.returncode == 2
    assert result.stderr.startswith("cambrian: expected a home directory")
    assert "HOME" in result.stderr and len(result.stderr.splitlines()) == 1


def test_without_a_home_a_named_archive_is_made_and_read(tmp_path: Path) -> None:
    place = str(tmp_path / "archive")
    assert _homeless("--archive", place, "init").returncode == 0
    read = _homeless("--archive", place, "tree")
    assert (read.returncode, read.stderr) == (0, "")
    assert len(read.stdout.splitlines()) >= 4


def test_without_a_home_arrays_are_made_each_time() -> None:
    program = (
        f"{_no_home()}from cambrian.evaluators.data.cache import cached\n"
        "print(cached('a', ('x',), lambda: {'x': [1, 2]})['x'].sum())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("3\n", "")


@pytest.mark.parametrize("arguments", [("--help",), ("tree", "--help"), ("--version",)])
def test_a_full_disk_under_the_output_is_one_line(arguments: tuple[str, ...]) -> None:
    result = _run('"$@" >/dev/full', *arguments)
    assert result.returncode == 1
    assert result.stderr == "cambrian: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_what_is_closed_leads_nowhere(closed: str, tmp_path: Path) -> None:
    """No file of the archive gets the number of a stream, and tables are no trouble."""
    place = str(tmp_path / "archive")
    for command in ("init", "status"):
        result = _run(f'"$@" {closed}', "--archive", place, command)
        assert result.returncode == 0, result.stderr
        assert "Error" not in result.stderr
    listed = _run(f'"$@" {closed}', "--archive", place, "agent", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert _run('"$@"', "--archive", place, "db", "check").returncode == 0


def test_few_descriptors_are_raised_as_far_as_allowed() -> None:
    program = (
        "import resource\nfrom cambrian.cli.streams import prepare\nprepare()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    for limit, expected in (("-S -n 64", most), ("-n 64", 64)):
        result = subprocess.run(
            ["/bin/sh", "-c", f'ulimit {limit}; exec "$@"', "sh", sys.executable, "-c", program],
            capture_output=True,
            text=True,
        )
        assert result.stdout == f"{expected}\n", result.stderr


def test_a_link_that_leads_nowhere_is_no_place_for_an_archive(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    result = _run('"$@"', "--archive", str(tmp_path / "link"), "init")
    assert result.returncode == 2
    assert "leads nowhere" in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "gone").exists()
