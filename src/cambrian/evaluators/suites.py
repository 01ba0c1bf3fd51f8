"""The suites by which agents are judged; what a suite is: `cambrian.suite`."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.evaluators.benchmarks import benchmark, search_names
from cambrian.suite import Entry, Suite


def suite_of(names: Sequence[str]) -> Suite:
    """The suite of some benchmarks at their present versions, all alike; none: the usual ones.

    Raises:
        NotFound, UsageError: as `search_names` does.
    """
    chosen = search_names(names or None)
    return Suite("", tuple(Entry(name, benchmark(name).version) for name in chosen))


def is_present(suite: Suite) -> bool:
    """Whether every benchmark is still at the version that the suite has it at."""
    return all(benchmark(each.benchmark).version == each.version for each in suite.entries)
