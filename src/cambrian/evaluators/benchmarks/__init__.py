"""The benchmarks, by name."""

from __future__ import annotations

from collections.abc import Iterable

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.benchmarks.base import STAGES, Benchmark, Card, Outcome
from cambrian.evaluators.benchmarks.blurry_digits import BlurryDigits
from cambrian.evaluators.benchmarks.digit_sums import DigitSums
from cambrian.evaluators.benchmarks.label_drift import LabelDrift
from cambrian.evaluators.benchmarks.split_mnist import SplitMnist

__all__ = ["STAGES", "Benchmark", "Card", "Outcome", "benchmark", "sealed_names", "search_names"]

_ALL: dict[str, Benchmark] = {
    b.name: b for b in (SplitMnist(), DigitSums(), LabelDrift(), BlurryDigits())
}


def names() -> list[str]:
    """All benchmarks, the sealed-only ones included."""
    return list(_ALL)


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name.

    Raises:
        NotFound: there is none.
    """
    try:
        return _ALL[name]
    except KeyError:
        raise NotFound(f"no benchmark is called {name!r}; there are: {', '.join(_ALL)}") from None


def search_names(wanted: Iterable[str] | None = None) -> list[str]:
    """The benchmarks a search uses: those wanted, or all that are not sealed-only.

    Raises:
        NotFound: an unknown name. UsageError: none, one twice, or a sealed-only one.
    """
    chosen = [benchmark(name) for name in wanted] if wanted is not None else list(_ALL.values())
    if wanted is None:
        return [b.name for b in chosen if not b.sealed_only]
    if not chosen or len({b.name for b in chosen}) != len(chosen):
        raise UsageError("expected one or more different benchmarks, separated by commas")
    for b in chosen:
        if b.sealed_only:
            raise UsageError(f"{b.name} is sealed: no search may use it")
    return [b.name for b in chosen]


def sealed_names(search: Iterable[str]) -> list[str]:
    """What a sealed run uses: the search's benchmarks on sealed data, and the unseen streams."""
    return [*search, *(b.name for b in _ALL.values() if b.sealed_only)]
