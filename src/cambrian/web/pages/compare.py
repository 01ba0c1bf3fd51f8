"""Agents side by side: paired differences, where they fork, what their code has different."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.reports.scores.comparing import compare

if TYPE_CHECKING:
    from cambrian.archive import Archive


def read(archive: Archive, ask: Mapping[str, str]) -> dict[str, Any]:
    """The agents `of` (references with commas between; the champion and its seed, where nothing
    is asked), the first against each other one.

    Raises:
        NotFound, UsageError: as `compare` says.
    """
    return compare(archive, [name for name in ask.get("of", "").split(",") if name.strip()])
