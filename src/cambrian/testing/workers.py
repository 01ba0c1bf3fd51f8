"""A worker without sandbox or torch: scores are a function of the code, so runs take a moment."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np

from cambrian.backoff import Backoff
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.runtime.workers import Ask
from cambrian.evolution.timing import Timing
from cambrian.measurement import Measurement, Unit


def quick(first_s: float = 0.0, **changes: Any) -> Timing:
    """A run's timing with waits that begin so short."""
    waits = Backoff(first_s, 30 * first_s)
    return replace(Timing(jobs=waits, looks=waits), **changes)


def quality(files: Mapping[str, str]) -> float:
    """A landscape on which evolution can climb, from 0.2 to 0.9: more parts are better, with a
    texture that comes of a hash of the code."""
    parts = sum(path.startswith("parts/") for path in files)
    digest = hashlib.sha256("".join(sorted(files.values())).encode()).digest()
    return 0.2 + 0.12 * min(parts, 5) + 0.1 * digest[0] / 255


class InstantWorker:
    """Judges at once.

    Args:
        log: where a real worker would write what it prints; nothing is written here.
        before: called with the agent's id before each unit; gives the seconds to wait, and may
            raise, to shake up the order of things.
    """

    def __init__(self, log: Path, before: Callable[[str], float] | None = None) -> None:
        self.log = log
        self.before = before

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        score, texts = quality(files), str(sorted(files.values()))
        for unit in units:
            await anyio.sleep(self.before(agent_id) if self.before else 0)
            yield judged(files, unit, score, texts)

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        """Ask once, and give an edit that changes the notes and a line of the code."""
        await ask([{"role": "user", "content": "?"}])
        return {
            "title": "t",
            "hypothesis": "h",
            "files": noted(files, "changed"),
            "blocks": [],
            "predicted_gain": 0.1,
            "confidence": 0.5,
        }

    async def close(self, *, now: bool = False) -> None:
        """Nothing is open."""


def noted(files: Mapping[str, str], text: str) -> dict[str, str]:
    """Files of an edit that says something in the notes, and in the code (notes are no change): a
    line with their hash, in place of the one that the parent had."""
    code = files["learner.py"].partition("\nNOTE = ")[0]
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"NOTES.md": text, "learner.py": f"{code}\nNOTE = {digest!r}\n"}


def judged(
    files: Mapping[str, str], unit: Unit, level: float | None = None, texts: str = ""
) -> Measurement:
    """A verdict that is a function of the code and the unit; the quality of the code (`level`) and
    its `texts` may be given, where there are many units."""
    version = benchmark(unit.benchmark).version
    if "raise" in files.get("NOTES.md", ""):
        return Measurement.on(unit, "failed", version, cause="exception", reason="it was asked to")
    level = quality(files) if level is None else level
    texts = texts or str(sorted(files.values()))
    chance = unit.offset or ""  # another random stream of the same code
    digest = hashlib.sha256(f"{texts}{unit}{chance}".encode()).digest()
    score = level + 0.02 * (digest[0] / 255 - 0.5)
    metrics = {"min_accuracy": digest[1] / 255, "forgetting": digest[2] / 1000}
    curves = {"probe_accuracy": np.array([score, score], dtype=np.float32)}
    return Measurement.on(
        unit,
        "scored",
        version,
        score=score,
        raw=score,
        metrics=metrics,
        curves=curves,
        flops=10**9,
        state_bytes=10**6,
        backend="none",
        provenance={"backend": "none"},
    )


__all__ = ["InstantWorker", "judged", "noted", "quality", "quick"]
