"""What a stream does to images: shrink, enlarge, rotate, permute, disturb."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cambrian.evaluators.data.base import Floats, Labels


def pooled(x: Floats, side: int) -> Floats:
    """Mean-pool square images (N, S, S) down to (N, side, side); `side` divides S."""
    count, size, _ = x.shape
    step = size // side
    small: Floats = x.reshape(count, side, step, side, step).mean((2, 4), dtype=np.float32)
    return small


def enlarged(x: Floats, times: int, side: int) -> Floats:
    """Square images (N, S, S), each pixel repeated `times` by `times`, in a frame of zeros:
    (N, side, side)."""
    large = x.repeat(times, axis=1).repeat(times, axis=2)
    before = (side - large.shape[1]) // 2
    after = side - large.shape[1] - before
    framed: Floats = np.pad(large, ((0, 0), (before, after), (before, after)))
    return framed


def permuted(x: Floats, order: Labels) -> Floats:
    """Inputs (N, *shape) with their values in another order; `order` is over the flat input."""
    moved: Floats = x.reshape(len(x), -1)[:, order].reshape(x.shape)
    return moved


def rotated(x: Floats, degrees: float) -> Floats:
    """Images (N, S, S) turned about their middle, bilinear; what comes in is black."""
    if not degrees:
        return x
    turned = ndimage.rotate(x, degrees, axes=(2, 1), reshape=False, order=1, prefilter=False)
    return np.asarray(turned, dtype=np.float32).clip(0, 1)
