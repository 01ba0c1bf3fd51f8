"""The suites by which agents are judged; what a suite is: `cambrian.suite`.

The named suites are made of families (`cambrian.evaluators.families`): those of one kind, or all in
`general`, with the weights that `statistics.weights` gives them by what the reference agents score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cambrian.errors import NotFound
from cambrian.evaluators.benchmarks import benchmark, search_names
from cambrian.evaluators.families.listed import FAMILIES
from cambrian.evaluators.families.shipped import weights
from cambrian.suite import USUAL_SEEDS, Entry, Suite

GENERAL = "general"
"""The suite of all families that a search may draw from."""

SEEDS = {GENERAL: 2}
"""With how many seeds a suite runs each family, where it is not `USUAL_SEEDS`: the error of a mean
over fifteen families is known from two (`statistics.strata`), at two fifths of the cost of five."""


def of_benchmarks(names: Sequence[str]) -> Suite:
    """The suite of some benchmarks at their present versions, all alike; none: the usual ones.

    Raises:
        NotFound, UsageError: as `search_names` does.
    """
    chosen = search_names(names or None)
    return Suite("", tuple(Entry(name, benchmark(name).version) for name in chosen))


def suite_names() -> tuple[str, ...]:
    """The names of the suites that `suite` makes."""
    return (*dict.fromkeys(family.kind for family in FAMILIES), GENERAL)


def suite(name: str) -> Suite:
    """The named suite, at the present versions of its families. In `general` each kind counts as
    much as any other, however many families it has.

    Raises:
        NotFound: there is none of that name, or data of a family is not on this machine.
        UsageError: a family was never calibrated.
    """
    _expect(name)
    chosen = [f for f in FAMILIES if not f.sealed_only and name in (f.kind, GENERAL)]
    search_names([family.name for family in chosen])
    known, kinds = weights(), Counter(family.kind for family in chosen)
    share = {kind: max(kinds.values()) / count for kind, count in kinds.items()}
    entries = (
        Entry(f.name, f.version, round(known.get(f.name, 1.0) * share[f.kind], 2)) for f in chosen
    )
    return Suite(name, tuple(entries), SEEDS.get(name, USUAL_SEEDS))


def sealed_part(name: str) -> tuple[str, ...]:
    """The families of a named suite that no search draws.

    Raises:
        NotFound: there is no suite of that name.
    """
    _expect(name)
    return tuple(f.name for f in FAMILIES if f.sealed_only and name in (f.kind, GENERAL))


def _expect(name: str) -> None:
    if name not in suite_names():
        raise NotFound(f"no suite is called {name!r}; there are: {', '.join(suite_names())}")


def suite_of(name: str, names: Sequence[str]) -> Suite:
    """The suite of a run's settings: the named one, where it has a name, else that of its
    benchmarks."""
    return suite(name) if name else of_benchmarks(names)
