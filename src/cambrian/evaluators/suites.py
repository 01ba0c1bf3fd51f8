"""A suite: the weighted set of benchmarks by which agents are judged, as it was at one epoch.

The named suites are made of families (`cambrian.evaluators.families`): those of one kind, or all in
`general`, with the weights that `statistics.weights` gives them by what the reference agents score.

Scores belong to an agent *and* a suite. Two suites of the same benchmarks, versions and weights are
one, whatever they are called; anything else is another, and scores of the two are never compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.benchmarks import benchmark, search_names
from cambrian.evaluators.families.listed import FAMILIES
from cambrian.evaluators.families.shipped import weights

GENERAL = "general"
"""The suite of all families that a search may draw from."""


@dataclass(frozen=True)
class Entry:
    """One benchmark of a suite, at its version, and what its score counts for in the mean."""

    benchmark: str
    version: str
    weight: float = 1.0


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
    def of(cls, names: Sequence[str]) -> Self:
        """The suite of some benchmarks at their present versions, all alike; none: the usual ones.

        Raises:
            NotFound, UsageError: as `search_names` does.
        """
        chosen = search_names(names or None)
        return cls("", tuple(Entry(name, benchmark(name).version) for name in chosen))

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
    def weights(self) -> tuple[float, ...]:
        """What each counts for; they add up to 1."""
        total = sum(entry.weight for entry in self.entries)
        return tuple(entry.weight / total for entry in self.entries)

    @property
    def hash(self) -> str:
        """What tells it from every other: 64 hexadecimal digits over benchmarks, versions and
        weights; the name and the order do not count."""
        rows = sorted((e.benchmark, e.version, float(e.weight)) for e in self.entries)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    @property
    def is_current(self) -> bool:
        """Whether every benchmark is still at the version that it had."""
        return all(benchmark(each.benchmark).version == each.version for each in self.entries)


def suite_names() -> tuple[str, ...]:
    """The names of the suites that `suite` makes."""
    return (*dict.fromkeys(family.kind for family in FAMILIES), GENERAL)


def suite(name: str) -> Suite:
    """The named suite, at the present versions of its families.

    Raises:
        NotFound: there is none of that name, or data of a family is not on this machine.
        UsageError: a family was never calibrated.
    """
    if name not in suite_names():
        raise NotFound(f"no suite is called {name!r}; there are: {', '.join(suite_names())}")
    chosen = [f for f in FAMILIES if not f.sealed_only and name in (f.kind, GENERAL)]
    search_names([family.name for family in chosen])
    known = weights()
    return Suite(name, tuple(Entry(f.name, f.version, known.get(f.name, 1.0)) for f in chosen))


def sealed_part(name: str) -> tuple[str, ...]:
    """The families of a named suite that no search draws.

    Raises:
        NotFound: there is no suite of that name.
    """
    if name not in suite_names():
        raise NotFound(f"no suite is called {name!r}; there are: {', '.join(suite_names())}")
    return tuple(f.name for f in FAMILIES if f.sealed_only and name in (f.kind, GENERAL))


def suite_of(name: str, names: Sequence[str]) -> Suite:
    """The suite of a run's settings: the named one, where it has a name, else that of its
    benchmarks."""
    return suite(name) if name else Suite.of(names)
