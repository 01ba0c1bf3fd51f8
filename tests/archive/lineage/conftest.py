"""A small tree with its lineage."""

from __future__ import annotations

import pytest
from tests.archive.conftest import ArchiveFixture


@pytest.fixture
def tree(garden: ArchiveFixture) -> dict[str, str]:
    """one ── child ── cross (the champion), two ── cross, two ── leaf; one was rejected."""
    one, two = garden.seed("one", 0.2), garden.seed("two", 0.3)
    child = garden.grow("child", one, score=0.4)
    cross = garden.grow("cross", child, two, score=0.9)
    leaf = garden.grow("leaf", two, score=0.35, stone=True)
    garden.reject(garden.propose("rejected", one))
    return {"one": one, "two": two, "child": child, "cross": cross, "leaf": leaf}
