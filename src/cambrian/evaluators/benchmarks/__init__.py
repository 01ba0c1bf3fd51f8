"""The benchmarks, by name.

`DEFAULT` are those a run searches on, sealed-only ones are those no search ever sees; all others
are there to be asked for by name. A name that ends in "+each-batch" is a stream of tasks probed
after every batch. A family is a module with a tuple of benchmarks; `FAMILIES` names them all.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib import resources

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import (
    EACH_BATCH,
    STAGES,
    Benchmark,
    Bounds,
    Card,
    Outcome,
    stem,
)
from cambrian.evaluators.benchmarks.blurry_digits import BlurryDigits
from cambrian.evaluators.benchmarks.digit_sums import DigitSums
from cambrian.evaluators.benchmarks.drift import DRIFTS
from cambrian.evaluators.benchmarks.label_drift import LabelDrift
from cambrian.evaluators.benchmarks.meta.few_shot import FewShotDigits, FewShotGlyphs, FewShotSeries
from cambrian.evaluators.benchmarks.meta.few_shot_continual import FewShotContinual
from cambrian.evaluators.benchmarks.meta.functions import LinearFunctions, Sinusoids
from cambrian.evaluators.benchmarks.meta.in_context import InContext
from cambrian.evaluators.benchmarks.mixed_tasks import MixedTasks
from cambrian.evaluators.benchmarks.plasticity import PLASTICITY
from cambrian.evaluators.benchmarks.split_mnist import SplitMnist
from cambrian.evaluators.benchmarks.streams import SCENARIOS
from cambrian.evaluators.families import listed, scales
from cambrian.evaluators.families.base import Family
from cambrian.evaluators.protocols.tasks import TaskStream
from cambrian.evaluators.registry import find, known, register

__all__ = [
    "DEFAULT",
    "STAGES",
    "Benchmark",
    "Bounds",
    "Card",
    "Outcome",
    "benchmark",
    "missing",
    "names",
    "register",
    "sealed_names",
    "search_names",
    "stem",
    "waiting",
]

DEFAULT = ("split-mnist", "digit-sums", "label-drift")
"""What a run searches on unless it is told otherwise."""

FAMILIES: tuple[tuple[Benchmark, ...], ...] = (
    (SplitMnist(), DigitSums(), LabelDrift(), BlurryDigits()),
    (FewShotDigits(), FewShotGlyphs(), FewShotSeries(), FewShotContinual()),
    (Sinusoids(), LinearFunctions(), InContext()),
    SCENARIOS,
    DRIFTS,
    PLASTICITY,
    (MixedTasks(),),
    listed.FAMILIES,
)

for _family in FAMILIES:
    register(*_family)


def names() -> list[str]:
    """All benchmarks that can be scored, the sealed-only ones and those of your own included."""
    _discover()
    return [name for name in known() if name not in waiting()]


@functools.cache
def waiting() -> tuple[str, ...]:
    """Ours that are declared and whose ends were never measured: they run, and have no score until
    `tools/calibrate.py` has been through them."""
    shipped = resources.files("cambrian.evaluators").joinpath("calibration")
    return tuple(
        bench.name
        for family in FAMILIES
        for bench in family
        if not shipped.joinpath(f"{bench.name}-{bench.version}.json").is_file()
        and not scales.load(bench.name, bench.version)
    )


def _discover() -> None:
    """Have benchmarks that are not ours registered (that module needs this package)."""
    from cambrian.evaluators import plugins

    plugins.discover()


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name.

    Raises:
        NotFound: there is none.
    """
    found = find(stem(name))
    if found is None:
        _discover()
        found = find(stem(name))
    if found is None:
        raise NotFound(f"no benchmark is called {name!r}; there are: {', '.join(known())}")
    if name == found.name:
        return found
    if not isinstance(found, TaskStream):
        raise NotFound(f"{found.name} is no stream of tasks: it cannot be probed at each batch")
    return found.each_batch()


def missing(bench: Benchmark) -> list[data.Source]:
    """The data that a benchmark needs and this machine lacks."""
    return [found for found in map(data.source, bench.needs) if not found.present()]


def search_names(wanted: Iterable[str] | None = None) -> list[str]:
    """The benchmarks a search uses: those wanted, or `DEFAULT`.

    Raises:
        NotFound: an unknown name, or data that is not on this machine.
        UsageError: none, one twice, a sealed-only one, or one that was never calibrated.
    """
    if wanted is None:
        return list(DEFAULT)
    chosen = [benchmark(name) for name in wanted]
    if not chosen or len({b.name for b in chosen}) != len(chosen):
        raise UsageError("expected one or more different benchmarks, separated by commas")
    for b in chosen:
        if b.sealed_only:
            raise UsageError(f"{b.name} is sealed: no search may use it")
        if b.name in waiting():
            raise UsageError(f"{b.name} was never calibrated: its scores would have no scale")
        if b.name.endswith(EACH_BATCH):
            _check_scale(b)
        for lacking in missing(b):
            raise NotFound(f"{b.name} needs {lacking.name}, which is not here: {lacking.get}")
    return [b.name for b in chosen]


def _check_scale(bench: Benchmark) -> None:
    """Before a search starts, not in its workers (that module needs this one).

    Raises:
        UsageError: it was never calibrated.
    """
    from cambrian.evaluators.calibration import calibration

    calibration(bench)


def sealed_names(search: Iterable[str]) -> list[str]:
    """What a sealed run uses: the search's benchmarks on sealed data, and the unseen streams.

    A search on families has the sealed families, a search on single benchmarks the sealed
    benchmarks, one on both has both."""
    chosen = list(search)
    drawn = {isinstance(find(stem(name)), Family) for name in chosen} or {False}
    unseen = (b for b in known().values() if b.sealed_only and isinstance(b, Family) in drawn)
    return [*chosen, *(b.name for b in unseen if b.name not in waiting())]
