"""Runs of the `model` rewriter that really ask an endpoint, and judge at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.evolution.loop import Loop
from cambrian.evolution.models.broker import Model
from cambrian.evolution.runtime.workers import Ask
from cambrian.evolution.settings import Settings
from cambrian.evolution.timing import USUAL, Timing
from cambrian.testing.instant_run import BENCHMARKS
from cambrian.testing.workers import InstantWorker, noted


class Asking(InstantWorker):
    """Judges at once, but really asks: the improver's answer is the model's text as a note."""

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        text = await ask([{"role": "user", "content": evidence["rules"][:20]}])
        edit = await super().improve(files, evidence, _silent)
        return edit | {"files": noted(files, text)}


async def _silent(_: list[dict[str, str]]) -> str:
    return ""


def run_model(
    home: Path,
    proposals: int | None,
    worker: type[InstantWorker] = Asking,
    timing: Timing = USUAL,
    model: Model | None = None,
    names: str = "scripted",
    **changes: Any,
) -> Loop:
    """Start or resume a run until its end; the loop as it was left."""
    given = {"rewriter": "model", "model": names, "benchmarks": BENCHMARKS, **changes}
    settings = Settings(proposals=proposals, **given)
    with Archive.open_or_create(home) as archive, archive.lock():
        supervisor.prepare(archive)
        row = archive.runs.current() or archive.runs.start(
            0, settings.to_json(), proposals or 2**31 - 1
        )
        loop = Loop(archive, row, settings, lambda _: None, home / "logs", worker, model, timing)
        archive.runs.end(row.id, anyio.run(loop.run))
    return loop
