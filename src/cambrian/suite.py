"""A suite: the weighted set of benchmarks by which agents are judged, as it was at one epoch.

Scores belong to an agent *and* a suite. Two suites of the same benchmarks, versions and weights are
one, whatever they are called; anything else is another, and scores of the two are never compared.
A leaf: the evaluators say what a suite is made of, the archive keeps it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cambrian.errors import UsageError


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
    """

    name: str
    entries: tuple[Entry, ...]

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            UsageError: it is no such thing.
        """
        try:
            entries = tuple(Entry(**each) for each in told["benchmarks"])
            return cls(str(told["name"]), entries)
        except (KeyError, TypeError) as error:
            raise UsageError(f"expected a suite with a name and benchmarks, got {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as an archive keeps it."""
        return {"name": self.name, "benchmarks": [vars(entry) for entry in self.entries]}

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
        """What tells it from every other: 64 hexadecimal digits over benchmarks, versions and
        weights; the name and the order do not count."""
        rows = sorted((e.benchmark, e.version, float(e.weight)) for e in self.entries)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
