"""Text that untrusted code wrote: see `cambrian.text`."""

from __future__ import annotations

from cambrian.text import neutralise

__all__ = ["neutralise"]
