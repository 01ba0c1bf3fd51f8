"""A real archive in a temporary directory, on a clock that the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cambrian.archive import Archive
from tests.archive.growing import Clock, Garden


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def archive(tmp_path: Path, clock: Clock) -> Iterator[Archive]:
    with Archive.create(tmp_path / "home", clock=clock) as opened:
        yield opened


@pytest.fixture
def garden(archive: Archive) -> Garden:
    return Garden(archive)
