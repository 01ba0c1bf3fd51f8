"""What a prediction says: the label, how sure it was, and whether it was right to be.

Scores (B, outputs) are logits or log-probabilities, as the learner contract has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15


def predicted_labels(scores: NDArray[np.float32]) -> NDArray[Any]:
    """The largest entry of each row of scores (B, outputs), the first of equals; as uint8, or
    uint16 where there are more than 256 outputs."""
    small = np.uint8 if scores.shape[1] <= 256 else np.uint16
    return np.asarray(scores.argmax(axis=1), dtype=small)


def accuracy(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Share of rows of scores (B, outputs) whose largest entry is at the label."""
    return float(np.mean(scores.argmax(axis=1) == labels))


def confidences(scores: NDArray[np.float32]) -> NDArray[np.float16]:
    """The largest softmax probability of each row of scores (B, outputs).

    Rounded to half precision, which is what is kept of a run: a figure made of it now and one
    made of the record later are the same.
    """
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return np.asarray(1 / np.exp(shifted).sum(axis=1), dtype=np.float16)


def calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """ECE = Σ_m |B_m|/n · |acc(B_m) − conf(B_m)| over `bins` equal-width bins ((m−1)/M, m/M]
    (Naeini 2015; Guo 2017, arXiv 1706.04599).

    Args:
        confidence: (n,) probability of the predicted label, in [0, 1].
        right: (n,) whether it was right.

    Raises:
        ValueError: no predictions, different lengths, or a confidence outside [0, 1].
    """
    sure, hit = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if sure.shape != hit.shape or sure.ndim != 1 or sure.size == 0:
        raise ValueError(f"expected as many confidences as verdicts, {sure.shape}, {hit.shape}")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError("expected confidences from 0 to 1")
    bin_of = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=hit - sure, minlength=bins)
    return float(np.abs(gaps).sum() / sure.size)
