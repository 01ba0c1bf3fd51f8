"""Moments as answers say them."""

from __future__ import annotations

from datetime import UTC, datetime


def when(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC; None for none."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
