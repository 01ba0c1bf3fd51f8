"""What the tests of the loop share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evolution.running import settings

from cambrian.testing.instant_run import grow


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "archive"
    grow(path, settings())
    return path
