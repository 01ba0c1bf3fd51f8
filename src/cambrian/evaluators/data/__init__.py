"""Real data that ships inside installed packages; nothing is ever downloaded.

Every set is split once and for all into training inputs, test inputs for the search, and test
inputs of their own for sealed runs, so that a sealed score is on inputs no search was judged by.
One module per source; `SOURCES` names them all.
"""

from __future__ import annotations

from cambrian.errors import NotFound
from cambrian.evaluators.data import digits as _digits
from cambrian.evaluators.data import drawn, fashion, mnist, mnist1d, tables
from cambrian.evaluators.data import glyphs as _glyphs
from cambrian.evaluators.data.base import Floats, Images, Labels, Part, Source
from cambrian.evaluators.data.csv_file import Table, read_table
from cambrian.evaluators.data.digits import digits
from cambrian.evaluators.data.fashion import fashion_mnist
from cambrian.evaluators.data.glyphs import glyphs
from cambrian.evaluators.data.mnist import mnist_5k
from cambrian.evaluators.data.mnist1d import mnist_1d
from cambrian.evaluators.data.transforms import enlarged, permuted, pooled, rotated

__all__ = [
    "SOURCES",
    "Floats",
    "Images",
    "Labels",
    "Part",
    "Source",
    "Table",
    "digits",
    "enlarged",
    "fashion_mnist",
    "glyphs",
    "mnist_1d",
    "mnist_5k",
    "permuted",
    "pooled",
    "read_table",
    "rotated",
    "source",
]

SOURCES: dict[str, Source] = {
    found.name: found
    for module in (mnist, _digits, fashion, mnist1d, _glyphs, tables, drawn)
    for found in module.SOURCES
}


def source(name: str) -> Source:
    """The source of that name.

    Raises:
        NotFound: there is none.
    """
    try:
        return SOURCES[name]
    except KeyError:
        raise NotFound(f"no data is called {name!r}; there are: {', '.join(SOURCES)}") from None
