"""The benchmarks that are known by name in this process; ours and those of users register here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cambrian.errors import UsageError
from cambrian.evaluators.benchmarks.base import EACH_BATCH, Benchmark

_ALL: dict[str, Benchmark] = {}


def register(*found: Benchmark) -> None:
    """Add benchmarks to those that are known by name in this process.

    Raises:
        UsageError: another benchmark has the name already, or it ends as ours may not.
    """
    for bench in found:
        if bench.name in _ALL or bench.name.endswith(EACH_BATCH):
            raise UsageError(f"expected a name that no benchmark has; got {bench.name!r}")
        _ALL[bench.name] = bench


def find(name: str) -> Benchmark | None:
    """The benchmark of exactly that name; None if none has registered under it."""
    return _ALL.get(name)


def known() -> Mapping[str, Benchmark]:
    """All that have registered, by name, in the order in which they did."""
    return MappingProxyType(_ALL)
