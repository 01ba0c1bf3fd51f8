"""Following the log: nothing twice, nothing left out, and an end where one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archive.conftest import ArchiveFixture

from cambrian.archive import Archive
from cambrian.reports import events as reports


@pytest.fixture
def garden(tmp_path: Path) -> Iterator[ArchiveFixture]:
    with Archive.create(tmp_path / "home") as archive:
        yield ArchiveFixture(archive)


def test_followed_events_are_each_committed_one_once_in_order(garden: ArchiveFixture) -> None:
    seed, looks = garden.seed(), iter(range(5))

    def wait() -> bool:
        look = next(looks)
        if look in (0, 2):  # and nothing new at the other looks
            garden.grow(f"child {look}", seed)
        return look < 4

    with Archive.open(garden.archive.path, read_only=True) as reader:
        followed = [event.seq for event in reports.follow(reader, wait)]
        assert followed == [event.seq for event in reports.events(reader)]
    assert followed == sorted(set(followed)) and len(followed) > 6


def test_batches_join_without_a_seam(garden: ArchiveFixture) -> None:
    garden.grow("child", garden.seed())
    whole = [event.seq for event in reports.events(garden.archive)]
    assert [event.seq for event in reports.events(garden.archive, batch=2)] == whole
    assert [event.seq for event in reports.events(garden.archive, whole[2], batch=2)] == whole[3:]


def test_the_last_few_are_asked_for_by_their_number(garden: ArchiveFixture) -> None:
    assert reports.last_event(garden.archive, 10) == 0
    garden.grow("child", garden.seed())
    start = reports.last_event(garden.archive, 3)
    assert len(list(reports.events(garden.archive, start))) == 3


def test_an_event_as_json_says_whom_it_concerns_and_no_one_else(garden: ArchiveFixture) -> None:
    agent = garden.seed()
    event = next(reports.events(garden.archive))
    found = reports.event_json(event)
    assert found["kind"] == "agent.seeded" and found["agent"] == agent
    assert "proposal" not in found and found["at"].endswith("+00:00")
