"""How long to wait before the next try: one value, passed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Waits that double.

    Attributes:
        first_s: the first one, in seconds.
        longest_s: the longest.
    """

    first_s: float
    longest_s: float

    def after(self, attempts: int) -> float:
        """Seconds to wait after so many attempts; the first one for none and for one."""
        doublings = min(max(attempts - 1, 0), 64)
        return float(min(self.first_s * 2**doublings, self.longest_s))

    def waits(self) -> Iterator[float]:
        """Seconds between tries, one after the other, for ever."""
        wait_s = self.first_s
        while True:
            yield wait_s
            wait_s = min(2 * wait_s, self.longest_s)
