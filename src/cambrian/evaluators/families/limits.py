"""How many of a stream's inputs its allowance of state would hold, packed as simply as can be.

For the page of the families and its honesty: while an allowance holds every input, a learner that
stores and looks up is within the rules, and what keeps it from winning is the veil.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.families.base import Family
from cambrian.evaluators.watching import WatchingLab

BITS = (1, 2, 4)


@dataclass(frozen=True)
class Room:
    """Of one stream.

    Attributes:
        inputs: different inputs that are shown with their labels.
        bytes_each: of one, at the number of bits a value (1, 2 or 4, evenly between the least and
            the largest, then zlib over all) that takes least and still tells inputs apart.
        allowed: bytes of state.
    """

    inputs: int
    bytes_each: float
    allowed: int

    @property
    def times(self) -> float:
        """How many times over the allowance holds all inputs."""
        return self.allowed / (self.inputs * self.bytes_each)


def room(family: Family, stage: str, seed: int) -> Room:
    """What the allowance of the stream that a seed draws would hold.

    Raises:
        UsageError: the stream was never calibrated.
    """
    lab = WatchingLab(family, stage, seed)
    family.conduct(lab)
    shown = lab.watched["judged"]
    rows = [f["x"] for f in shown.files if "y" in f] or [
        x for what, x in shown.shown if what.endswith("x")
    ]
    x = np.unique(np.concatenate([part.reshape(len(part), -1) for part in rows]), axis=0)
    return Room(len(x), packed_bytes(x), calibration(family, stage, seed).state_allowed)


def packed_bytes(x: NDArray[np.float32]) -> float:
    """Bytes an input of x (N, values): the least over `BITS` at which nine inputs in ten stay
    different from all others; the most bits where none does."""
    scaled = (x - x.min()) / max(float(x.max() - x.min()), 1e-9)
    size = float("inf")
    for bits in BITS:
        levels = np.round(scaled * (2**bits - 1)).astype(np.uint8)
        planes = np.stack([levels >> bit & 1 for bit in range(bits)], axis=2)
        packed = np.packbits(planes.reshape(len(x), -1), axis=1)
        size = len(zlib.compress(packed.tobytes(), 9)) / len(x)
        if len(np.unique(packed, axis=0)) >= 0.9 * len(x):
            return size
    return size
