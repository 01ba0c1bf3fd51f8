"""A suite: the weighted set of benchmarks by which agents are judged, as it was at one epoch.

Scores belong to an agent *and* a suite. Two suites of the same benchmarks, versions, weights and
seeds are one, whatever they are called; anything else is another, and scores of the two are never
compared.
A leaf: the evaluators say what a suite is made of, the archive keeps it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cambrian.errors import UsageError

USUAL_SEEDS = 5
"""The seeds of a search's stages; a suite of many benchmarks may do with fewer."""


@dataclass(frozen=True)
class Entry:
    """One benchmark of a suite, at its version, and what its score counts for in the mean.

    Raises:
        UsageError: a weight that is not above 0.
    """

    benchmark: str
    version: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise UsageError(f"expected a weight above 0 for {self.benchmark}, got {self.weight}")


@dataclass(frozen=True)
class Suite:
    """Benchmarks with their versions and weights.

    Attributes:
        name: what people call it; "" for benchmarks that were named one by one.
        entries: in the order in which a variant meets them.
        seeds: with how many seeds each is run, from 0 on: the screen's one, then those of the full
            stage.

    Raises:
        UsageError: a number of seeds that is not 2 to `USUAL_SEEDS`.
    """

    name: str
    entries: tuple[Entry, ...]
    seeds: int = USUAL_SEEDS

    def __post_init__(self) -> None:
        if not 2 <= self.seeds <= USUAL_SEEDS:
            raise UsageError(f"expected 2 to {USUAL_SEEDS} seeds for a suite, got {self.seeds}")

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            UsageError: it is no such thing.
        """
        try:
            entries = tuple(Entry(**each) for each in told["benchmarks"])
            return cls(str(told["name"]), entries, int(told.get("seeds", USUAL_SEEDS)))
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"expected a suite with a name and benchmarks, got {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as an archive keeps it."""
        seeds = {} if self.seeds == USUAL_SEEDS else {"seeds": self.seeds}
        return {"name": self.name, "benchmarks": [vars(one) for one in self.entries], **seeds}

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(entry.benchmark for entry in self.entries)

    @property
    def weights(self) -> dict[str, float]:
        """What each benchmark counts for, by name; they add up to 1."""
        total = sum(entry.weight for entry in self.entries)
        return {entry.benchmark: entry.weight / total for entry in self.entries}

    @property
    def hash(self) -> str:
        """What tells it from every other: 64 hexadecimal digits over benchmarks, versions, weights
        and seeds; the name and the order do not count."""
        rows: list[Any] = sorted((e.benchmark, e.version, float(e.weight)) for e in self.entries)
        rows += [] if self.seeds == USUAL_SEEDS else [self.seeds]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
