"""The stages of a benchmark, each with its seeds; a leaf, for whoever needs no more than these."""

from __future__ import annotations

STAGES: dict[str, tuple[int, ...]] = {
    "smoke": (0,),
    "screen": (0,),
    "full": (1, 2, 3, 4),
    "race": (5, 6, 7, 8, 9, 10, 11, 12, 13),
    "sealed": (0, 1, 2, 3, 4),
}
"""The seeds of each stage. A full result is the screen's seed and the full stage's together; those
of the race only tell a pair of agents apart, where the rules of admission race seeds."""
