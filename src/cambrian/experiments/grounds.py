"""The landscapes that a search can be simulated on, by name."""

from __future__ import annotations

import hashlib
from functools import cache

from cambrian.errors import UsageError
from cambrian.experiments import analytic
from cambrian.experiments.landscape import Landscape

TABLE = "table"
ANALYTIC = tuple(analytic.LANDSCAPES)
NAMES = (*ANALYTIC, TABLE)


def ground(name: str) -> Landscape:
    """The landscape of that name.

    Raises:
        UsageError: there is none. NotFound: the table is not there.
    """
    if name not in NAMES:
        raise UsageError(f"no landscape is called {name!r}; there are: {', '.join(NAMES)}")
    if name != TABLE:
        return analytic.landscape(name)
    from cambrian.experiments.tabular.landscape import TableLandscape
    from cambrian.experiments.tabular.table import shipped

    return TableLandscape(shipped())


@cache
def version(name: str, code: str) -> str:
    """The version of what a result on a landscape depends on: that of the code, and on the table
    its contents too; 12 hexadecimal digits."""
    if name != TABLE:
        return code
    from cambrian.experiments.tabular.table import shipped

    return hashlib.sha256(f"{code} {shipped().digest}".encode()).hexdigest()[:12]
