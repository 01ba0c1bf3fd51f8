"""What every test leaves as it found it, and where the time went (`budget`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.budget import pytest_addoption, pytest_terminal_summary

from cambrian.evaluators import calibration, plugins
from cambrian.evaluators import registry as known_benchmarks

__all__ = ["pytest_addoption", "pytest_terminal_summary"]


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Benchmarks that a test brings are forgotten again: the next one in this process may list
    them all, and expects to know them."""
    tables: tuple[dict[Any, Any], ...] = (
        known_benchmarks._ALL,
        calibration._homes,
        plugins._loaded,
    )
    before = [dict(table) for table in tables]
    named = os.environ.get(plugins.ENVIRONMENT)
    yield
    for table, was in zip(tables, before, strict=True):
        table.clear()
        table.update(was)
    os.environ.pop(plugins.ENVIRONMENT, None)
    if named is not None:
        os.environ[plugins.ENVIRONMENT] = named
