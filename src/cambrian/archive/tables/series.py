"""Curves and matrices as compressed blobs with their dtype and shape: arrays, never pickles."""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

import numpy as np

from cambrian.archive.sqlite.database import Row, decode, encode
from cambrian.errors import CambrianError, UsageError

_KINDS = "biuf"


def pack(name: str, array: np.ndarray) -> dict[str, Any]:
    """The columns `dtype`, `shape`, `data` for one array (little-endian, C order).

    Raises:
        UsageError: a dtype that is not boolean, integer or floating point.
    """
    values = np.asarray(array)
    if values.dtype.kind not in _KINDS:
        raise UsageError(
            f"series {name!r}: expected booleans, integers or floats, got dtype {values.dtype}"
        )
    values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": values.dtype.str,
        "shape": encode(list(values.shape)),
        "data": zlib.compress(values.tobytes(order="C")),
    }


def array_json(dtype: str | None, shape: str | None, data: bytes | None) -> str | None:
    """The SQL function of the same name: an array's columns as JSON, null for what is not finite.

    NULL for NULL, and for a blob that does not hold what its dtype and shape say.
    """
    if dtype is None or shape is None or data is None:
        return None
    try:
        values = unpack({"name": "", "dtype": dtype, "shape": shape, "data": data})
    except (CambrianError, TypeError, ValueError):
        return None
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, None)  # type: ignore[call-overload]
    return json.dumps(values.tolist())


def unpack(row: Row) -> np.ndarray:
    """The array of a row with `name`, `dtype`, `shape` and `data`.

    Raises:
        CambrianError: the blob does not hold what its dtype and shape say.
    """
    dtype = np.dtype(row["dtype"])
    shape = tuple(decode(row["shape"]))
    expected = math.prod(shape) * dtype.itemsize
    if dtype.kind not in _KINDS:
        raise CambrianError(f"series {row['name']!r} is damaged: unexpected dtype {dtype}")
    try:
        # One byte more than expected is enough to see that there is too much.
        data = zlib.decompressobj().decompress(row["data"], expected + 1)
    except zlib.error as error:
        raise CambrianError(f"series {row['name']!r} is damaged: {error}") from error
    if len(data) != expected:
        raise CambrianError(
            f"series {row['name']!r} is damaged: expected {expected} bytes, got {len(data)}"
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()
