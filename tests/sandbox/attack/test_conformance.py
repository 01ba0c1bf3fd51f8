"""Every backend is as good as it says; and the suite does not call standing what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cambrian.errors import Refused
from cambrian.sandbox.backends import registry
from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.conformance import conformance
from cambrian.sandbox.conformance.conformance import Expectation
from cambrian.sandbox.session.limits import ALLOW_UNBOUNDED, Limits


def test_every_backend_is_as_good_as_it_says(sandboxed: Any) -> None:
    """`cambrian doctor` prints this table."""
    backend = sandboxed.backend
    found = conformance.run(backend)
    assert [result.name for result in found] == list(conformance.CHECKS)
    assert [result for result in found if not result.met] == []
    told = {result.name for result in found if result.enforced is None}
    assert told <= {"cpu"}, "processor time cannot be told on a busy host"
    assert all(result.detail for result in found)
    lacking = {r.name for r in found if r.expected is Expectation.REDUCED}
    assert lacking == set(backend.reduced)
    assert backend.isolation == ("reduced" if lacking else "full")
    assert backend.provenance()["isolation"] == backend.isolation, "every result is marked with it"


def test_full_isolation_lacks_nothing(walled: Any) -> None:
    assert set(conformance.expectations(walled.backend).values()) == {Expectation.ENFORCED}


@pytest.mark.parametrize(
    ("as_root", "lacking"), [(False, {"memory", "cpu"})], ids=["an ordinary user"]
)
def test_what_an_ordinary_user_cannot_enforce_is_named(as_root: bool, lacking: set[str]) -> None:
    backend = BubblewrapBackend(as_root=as_root)
    assert lacking <= set(backend.reduced)
    assert backend.isolation == backend.provenance()["isolation"] == "reduced"


def test_without_a_sandbox_the_walls_are_said_to_be_missing() -> None:
    found = {result.name: result for result in conformance.run(PlainBackend())}
    for name in ("network", "host files", "root file system", "seccomp", "memory", "open files"):
        assert found[name].enforced is False, name
        assert found[name].expected is Expectation.NOT_APPLICABLE
    assert found["time"].enforced is True
    assert found["output"].enforced is True


def test_a_wall_that_does_not_stand_where_it_should_is_not_met() -> None:
    fallen = conformance.Result("network", Expectation.ENFORCED, False, "")
    assert not fallen.met
    assert conformance.Result("network", Expectation.ENFORCED, None, "").met


def test_memory_that_cannot_be_bounded_is_refused_unless_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ALLOW_UNBOUNDED, raising=False)
    backend = BubblewrapBackend(as_root=False)
    with pytest.raises(Refused, match="--allow-unbounded-memory") as refused:
        backend.launch(tmp_path, Limits())
    assert refused.value.exit_code == 5
    with pytest.raises(Refused, match="memory"):
        registry._bounding(backend)
    monkeypatch.setenv(ALLOW_UNBOUNDED, "1")
    assert registry._bounding(backend) is backend
