"""Floors, ceilings and costs of drawn streams, one set for each seed of a family's stages.

Measured once by `tools/calibrate.py` and shipped with the family's version as
`measured/NAME-VERSION.json`: a row of `COLUMNS` for each seed of a search and of sealed runs. They
are never measured while a learner runs.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

from cambrian.errors import UsageError

COLUMNS = ("redraws", "floor", "ceiling", "flops", "state_bytes", "memory_bytes", "cpu_s", "rate")
"""Of a row: how often the stream was drawn again before its ends were far enough apart; its floor
and ceiling; what the reference agent spends and holds; the state that is allowed; processor
seconds; the learning rate of the floor."""


@functools.cache
def load(name: str, version: str) -> dict[str, Any]:
    """All that was measured of a family's version; empty if nothing was."""
    file = resources.files(__name__.rpartition(".")[0]).joinpath(f"measured/{name}-{version}.json")
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found


def row(name: str, version: str, stage: str, seed: int) -> dict[str, Any] | None:
    """What was measured of one stream, by column; None if it was not."""
    part = load(name, version).get("sealed" if stage == "sealed" else "search", {})
    values = part.get(str(seed))
    return None if values is None else dict(zip(COLUMNS, values, strict=True))


def redraws(name: str, version: str, stage: str, seed: int) -> int:
    """How often a stream was drawn again; 0 for one that was never measured."""
    found = row(name, version, stage, seed)
    return int(found["redraws"]) if found else 0


def means(name: str, version: str) -> dict[str, float]:
    """Means of the columns over the seeds of a search (of sealed runs, where there is no search).

    Raises:
        UsageError: nothing was measured.
    """
    found = load(name, version)
    rows = list((found.get("search") or found.get("sealed") or {}).values())
    if not rows:
        raise UsageError(
            f"{name} version {version} was never calibrated, so its scores would have no scale: "
            f"tools/calibrate.py {name} does that"
        )
    return {c: sum(v[i] for v in rows) / len(rows) for i, c in enumerate(COLUMNS)}
