"""What a run is told. Those of `Fixed` decide what happens and may not change on resuming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from cambrian.errors import UsageError
from cambrian.evolution.admission import Rules
from cambrian.evolution.selection import strategy

LAG = 6
"""Proposal k sees the archive as decided through k − LAG, however many workers there are."""

Rewriter = Literal["recombine", "model"]
Order = Literal["fixed", "free"]


@dataclass(frozen=True)
class Settings:
    """A run's settings.

    Attributes:
        seed: of every random choice.
        rewriter: where edits come from: `recombine` (no model) or `model`.
        selection: name of the strategy that picks parents.
        benchmarks: what agents are judged by.
        order: `fixed` gives the same tree for any number of workers; `free` decides as results
            come in.
        random_control: no archive at all: parents are seed agents only, and every proposal is
            a random number of recombinations in a row.
        proposals, hours, judged, tokens: hard stops; None where there is none.
        workers: evaluation processes.
        sandbox: auto, docker, bubblewrap or none.
        device: cpu or cuda.
        model: name of the foundation model to ask.
        rules: thresholds of admission.
    """

    seed: int = 0
    rewriter: Rewriter = "recombine"
    selection: str = "dgm"
    benchmarks: tuple[str, ...] = ()
    order: Order = "fixed"
    random_control: bool = False
    rules: Rules = field(default_factory=Rules)
    model: str = ""
    device: str = "cpu"
    proposals: int | None = None
    hours: float | None = None
    judged: int | None = None
    tokens: int | None = None
    workers: int = 2
    sandbox: str = "auto"

    def __post_init__(self) -> None:
        strategy(self.selection)
        for name, least in (("proposals", 0), ("workers", 1), ("judged", 0), ("tokens", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} must be at least {least}, got {value}")
        if self.hours is not None and not 0 < self.hours < 1e6:
            raise UsageError(f"hours must be above 0, got {self.hours}")
        if self.proposals is None and self.hours is None and self.judged is None:
            raise UsageError("a run needs an end: give --proposals, --hours or both")
        if self.rewriter == "model" and not self.model:
            raise UsageError(
                "--rewriter model needs a model's name: give --model or set CAMBRIAN_MODEL"
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_MAY_CHANGE = {"proposals", "hours", "judged", "tokens", "workers", "sandbox"}


def differences(before: Mapping[str, Any], now: Settings) -> list[str]:
    """What decides a run's course and is not as it was: "seed: 1 before, 2 now", ..."""
    current = now.to_json()
    found = []
    for name in (f.name for f in fields(Settings)):
        old, new = before.get(name), current[name]
        if isinstance(new, tuple):
            new = list(new)
        if name not in _MAY_CHANGE and old != new:
            found.append(f"{name}: {old} before, {new} now")
    return found
