"""Every use of sealed data is counted before it takes place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cambrian.archive.tables.sealings import SealedUse
from cambrian.errors import NotFound, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture


def test_looks_are_counted_by_time_agent_and_evaluation(garden: ArchiveFixture) -> None:
    archive, one, other = garden.archive, garden.seed("one"), garden.seed("other")
    assert archive.sealings.looks() == SealedUse(0, 0, 0)
    first = archive.sealings.open(one, run_id=garden.run.id, evaluations=20)
    archive.sealings.open(other, run_id=None, evaluations=20)
    archive.sealings.open(one, run_id=None, evaluations=5)
    assert archive.sealings.looks() == SealedUse(times=3, agents=2, evaluations=45)
    assert archive.sealings.all()[0] == first
    event = next(e for e in archive.events() if e.kind == "sealed.opened")
    assert (event.agent_id, event.run_id, event.data["evaluations"]) == (one, garden.run.id, 20)


def test_a_look_is_at_something_by_somebody(garden: ArchiveFixture) -> None:
    with pytest.raises(UsageError, match="at least one"):
        garden.archive.sealings.open(garden.seed(), run_id=None, evaluations=0)
    with pytest.raises(NotFound, match="an agent of this archive"):
        garden.archive.sealings.open("0" * 64, run_id=None, evaluations=1)
    assert garden.archive.sealings.looks().times == 0
