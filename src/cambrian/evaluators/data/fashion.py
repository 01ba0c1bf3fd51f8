"""Fashion-MNIST as Debian packages it; the one set that pip does not bring.

Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset" (arXiv 1708.07747).
"""

from __future__ import annotations

import functools
import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.errors import NotFound
from cambrian.evaluators.data.base import SPLIT_SEED, Images, Part, Source

FOLDER = Path("/usr/share/datasets/fashion-mnist")
GET = "apt-get install dataset-fashion-mnist"
FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def present(folder: Path = FOLDER) -> bool:
    """Whether all four files are there."""
    return all((folder / f"{name}-ubyte.gz").is_file() for name in FILES)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of bytes in a gzipped IDX file, of the shape that its header says.

    Raises:
        NotFound: there is no such file, or it holds something else.
    """
    try:
        with gzip.open(path) as file:
            raw = file.read()
    except (OSError, EOFError) as error:
        raise NotFound(f"expected an IDX file at {path}; got: {error} ({GET})") from None
    axes = raw[3] if raw[:3] == b"\0\0\x08" and len(raw) > 3 else 0
    header = 4 + 4 * axes
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4)]
    if not axes or len(raw) != header + math.prod(shape):
        raise NotFound(f"expected an IDX file of bytes at {path}; got {len(raw)} other bytes")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


@functools.cache
def fashion_mnist(folder: Path = FOLDER) -> Images:
    """All 70,000 images (Debian's dataset-fashion-mnist, MIT), uint8 (N, 28, 28): 60,000 to train
    on, 5,000 of the published test images to test, the other 5,000 sealed.

    Raises:
        NotFound: the package is not installed.
    """
    if not present(folder):
        raise NotFound(f"Fashion-MNIST is not on this machine: {GET}")
    arrays: list[Any] = [read_idx(folder / f"{name}-ubyte.gz") for name in FILES]
    x, y, test_x, test_y = (a.astype(np.int64) if a.ndim == 1 else a for a in arrays)
    rows = np.random.default_rng(SPLIT_SEED).permutation(len(test_y))
    search, sealed = np.sort(rows[: len(rows) // 2]), np.sort(rows[len(rows) // 2 :])
    return Images(
        Part(x, y), Part(test_x[search], test_y[search]), Part(test_x[sealed], test_y[sealed])
    )


SOURCES = (
    Source(
        "fashion-mnist",
        "70,000 photographs of clothes, 28×28, 10 classes",
        "Debian's dataset-fashion-mnist",
        "MIT",
        fashion_mnist,
        present,
        GET,
    ),
)
