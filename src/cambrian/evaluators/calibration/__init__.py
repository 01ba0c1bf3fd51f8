"""Floors, ceilings and costs that scores are normalised by, measured by `scripts/calibrate`.

They ship with the benchmark's version: `split-mnist-1.json` and so on.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks.base import HIGHEST, LOWEST, Benchmark

ALLOWANCE = 3
"""An agent may spend this many times what experience replay spends."""


@dataclass(frozen=True)
class Calibration:
    """What a score's 0 and 1 stand for, and what experience replay costs.

    Attributes:
        floor, ceiling: raw scores (means over seeds) that become 0 and 1.
        flops, state_bytes: of the `replay` seed agent on one full seed.
        cpu_s: processor seconds of the same, where it was measured; for estimates only.
        details: how floor and ceiling were found, for `cambrian bench show`.
    """

    floor: float
    ceiling: float
    flops: int
    state_bytes: int
    cpu_s: float
    details: dict[str, Any]

    def normalise(self, raw: float) -> float:
        """0 at the floor, 1 at the ceiling, bounded so that no stream can drown the others."""
        score = (raw - self.floor) / (self.ceiling - self.floor)
        return min(max(score, LOWEST), HIGHEST)


@functools.cache
def _load(name: str, version: str) -> Calibration:
    file = resources.files(__name__).joinpath(f"{name}-{version}.json")
    if not file.is_file():
        raise UsageError(f"{name} version {version} was never calibrated: scripts/calibrate does")
    return Calibration(**json.loads(file.read_text(encoding="utf-8")))


def calibration(benchmark: Benchmark) -> Calibration:
    """The calibration of a benchmark's version.

    Raises:
        UsageError: there is none.
    """
    return _load(benchmark.name, benchmark.version)
