"""The same as an ordinary user: no root anywhere, bubblewrap in a user namespace.

The tests proper are those of `test_conformance.py` and `test_hostile.py`, which know one backend
only when they are not root; here they are run by nobody.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from tests.sandbox.attack import ordinary
from tests.sandbox.attack.test_hostile import PROGRAMS, QUICK, _name

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs them as they stand"),
]

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def _as_nobody(tests: list[str], only: str) -> str:
    # Short, and not pytest's own, which keeps its folders to its user: a socket's path is bounded.
    with tempfile.TemporaryDirectory(prefix="nobody-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        options = ["--basetemp", str(home / "pytest"), "-m", "not docker and not gvisor"]
        done = ordinary.run([*PYTEST, *options, "-k", only, *tests], home)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_an_ordinary_users_bubblewrap_is_as_good_as_it_says() -> None:
    said = _as_nobody(["tests/sandbox/attack/test_conformance.py"], "as_good or refused")
    assert "2 passed" in said


def test_hostile_learners_in_an_ordinary_users_bubblewrap() -> None:
    quick = " or ".join(_name(each) for each in PROGRAMS if each.number in QUICK)
    said = _as_nobody(["tests/sandbox/attack/test_hostile.py"], f"hostile_learner and ({quick})")
    assert f"{len(QUICK)} passed" in said


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
def test_every_hostile_learner_in_an_ordinary_users_bubblewrap(part: int) -> None:
    some = PROGRAMS[part::4]
    names = " or ".join(_name(each) for each in some)
    said = _as_nobody(["tests/sandbox/attack/test_hostile.py"], f"hostile_learner and ({names})")
    assert f"{len(some)} passed" in said
