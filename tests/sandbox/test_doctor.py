"""The self-check says what stands here, and does not call standing what does not."""

from __future__ import annotations

from typing import Any

from cambrian.sandbox import doctor
from cambrian.sandbox.bubblewrap import BubblewrapBackend
from cambrian.sandbox.plain import PlainBackend


def test_every_wall_of_a_full_backend_stands(walled: Any) -> None:
    found = doctor.checks(walled.backend)
    assert [check.name for check in found] == list(doctor.NAMES)
    assert [check for check in found if check.enforced is False] == []
    told = {check.name for check in found if check.enforced is None}
    assert told <= {"gpu", "cpu"}, "processor time cannot be told on a busy host"
    assert all(check.detail for check in found)


def test_the_walls_that_an_ordinary_user_cannot_raise_are_named() -> None:
    found = {each.name: each.enforced for each in doctor.checks(BubblewrapBackend(as_root=False))}
    assert found["memory"] is False
    standing = {"network", "host files", "root file system", "seccomp", "process 1", "time"}
    assert standing <= {name for name, enforced in found.items() if enforced}


def test_without_a_sandbox_the_walls_are_said_to_be_missing() -> None:
    found = {check.name: check.enforced for check in doctor.checks(PlainBackend())}
    for name in ("network", "host files", "root file system", "seccomp", "memory", "open files"):
        assert found[name] is False, name
    assert found["time"] is True
    assert found["output"] is True
