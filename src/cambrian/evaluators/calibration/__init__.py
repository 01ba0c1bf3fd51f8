"""Floors, ceilings and costs that scores are normalised by, measured by `tools/calibrate.py`.

They ship with the benchmark's version: `split-mnist-1.json` and so on.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks.base import HIGHEST, LOWEST, Benchmark, stem
from cambrian.evaluators.families import scales
from cambrian.evaluators.families.base import Family

ALLOWANCE = 3
"""An agent may spend this many times what a benchmark's reference agent spends."""


@dataclass(frozen=True)
class Calibration:
    """What a score's 0 and 1 stand for, and what the reference agent costs.

    Attributes:
        floor, ceiling: raw scores (means over seeds) that become 0 and 1.
        flops, state_bytes: of the reference agent (a seed agent, mostly `replay`) on one full
            seed.
        cpu_s: processor seconds of the same, where it was measured; for estimates only.
        details: how floor and ceiling were found, for `cambrian bench show`.
        memory_bytes: the state that is allowed, where that is not `ALLOWANCE` times the
            reference's; 0: it is.
    """

    floor: float
    ceiling: float
    flops: int
    state_bytes: int
    cpu_s: float
    details: dict[str, Any]
    memory_bytes: int = 0

    @property
    def flops_allowed(self) -> int:
        """Floating point operations that a learner may spend on one seed."""
        return ALLOWANCE * self.flops

    @property
    def state_allowed(self) -> int:
        """Bytes of state that a learner may hold."""
        return self.memory_bytes or ALLOWANCE * self.state_bytes

    def normalise(self, raw: float) -> float:
        """0 at the floor, 1 at the ceiling, bounded so that no stream can drown the others."""
        score = (raw - self.floor) / (self.ceiling - self.floor)
        return min(max(score, LOWEST), HIGHEST)


_homes: dict[str, Path] = {}


def add_home(name: str, folder: Path) -> None:
    """Where the calibration of a benchmark that is not one of ours lies."""
    _homes[name] = folder


@functools.cache
def _load(name: str, version: str) -> Calibration:
    file: Traversable = resources.files(__name__).joinpath(f"{name}-{version}.json")
    if stem(name) in _homes:
        file = _homes[stem(name)] / f"{name}-{version}.json"
    if not file.is_file():
        how = f"tools/calibrate.py {name}"
        if stem(name) in _homes:
            how = "cambrian bench check FILE, with the file that it is in,"
        raise UsageError(
            f"{name} version {version} was never calibrated, so its scores would have no scale: "
            f"{how} does that in a minute or so"
        )
    return Calibration(**json.loads(file.read_text(encoding="utf-8")))


@functools.cache
def joint_accuracies(name: str) -> tuple[float, ...]:
    """Of each task k of one of our streams, the mean accuracy on it of networks trained jointly on
    tasks 1 to k; empty where that was never measured (`tools/calibrate.py --joint`)."""
    file = resources.files(__name__).joinpath("joint.json")
    found = json.loads(file.read_text(encoding="utf-8")).get(name, {})
    return tuple(found.get("accuracies", ()))


def has_home(name: str) -> bool:
    """Whether a benchmark is not one of ours: `keep` writes what is measured of it beside it."""
    return stem(name) in _homes


def keep(benchmark: Benchmark, measured: Calibration) -> Path:
    """Write the calibration of a benchmark that is not one of ours, beside it."""
    path = _homes[stem(benchmark.name)] / f"{benchmark.name}-{benchmark.version}.json"
    path.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")
    _load.cache_clear()
    return path


def calibration(
    benchmark: Benchmark, stage: str | None = None, seed: int | None = None
) -> Calibration:
    """The calibration of a benchmark's version; of a family, that of the stream that a seed of a
    stage draws, or without a seed the means over those of a search.

    Raises:
        UsageError: there is none.
    """
    if not isinstance(benchmark, Family):
        return _load(benchmark.name, benchmark.version)
    name, version = benchmark.name, benchmark.version
    if stage is None or seed is None:
        return _of_stream(scales.means(name, version), {"ends": "means over a search's seeds"})
    row = scales.row(name, version, stage, seed)
    if row is None:
        raise UsageError(
            f"{name} version {version} was never calibrated for seed {seed} of stage {stage}, so "
            f"its score would have no scale: tools/calibrate.py {name} --also {seed}"
        )
    how = {"floor": f"finetune at learning rate {row['rate']:g}", "seed": seed}
    return _of_stream(row, how)


def _of_stream(row: Mapping[str, float], details: dict[str, Any]) -> Calibration:
    """What `scales` has of a stream, or of a mean of some."""
    return Calibration(
        floor=round(float(row["floor"]), 5),
        ceiling=round(float(row["ceiling"]), 5),
        flops=round(row["flops"]),
        state_bytes=round(row["state_bytes"]),
        cpu_s=round(row["cpu_s"], 3),
        details=details,
        memory_bytes=round(row["memory_bytes"]),
    )
