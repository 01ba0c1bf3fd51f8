"""What agents are worth that were not measured: gradient-boosted trees over the axes.

As the surrogates of NAS-Bench-301 (Zela et al. 2022, arXiv:2008.09777), which found boosted trees
among the best for such spaces. One model a family; axes are categories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from cambrian.evolution.selection.arrays import Floats
from cambrian.experiments.landscape import Genotype

FOLDS = 5


def fit(genotypes: Genotype, values: Floats) -> Callable[[Genotype], Floats]:
    """A guess of values (m, F) for genotypes (m, axes), from those of n measured ones."""
    with threadpool_limits(1):  # threads that wait for each other are slow where others work too
        models = [_model().fit(genotypes, column) for column in values.T]

    def guess(wanted: Genotype) -> Floats:
        with threadpool_limits(1):
            return np.stack([model.predict(wanted) for model in models], axis=1)

    return guess


def _model() -> Any:
    return HistGradientBoostingRegressor(
        max_iter=400,
        learning_rate=0.05,
        max_leaf_nodes=12,
        min_samples_leaf=8,
        l2_regularization=1.0,
        random_state=0,
    )


def errors(genotypes: Genotype, values: Floats) -> dict[str, Any]:
    """How far guesses are from what was measured, on agents that were left out (five folds).

    Args:
        genotypes: of the n measured agents, (n, axes).
        values: of these, (n, F).

    Returns:
        of each family and of the mean over families: `mae`, the mean absolute error; `r2`, the
        share of the variance that is explained; `kendall`, the rank correlation. The measured
        values are noisy themselves, so no guess would reach an r2 of 1.
    """
    guessed = np.empty_like(values)
    for known, left in KFold(FOLDS, shuffle=True, random_state=0).split(genotypes):
        guessed[left] = fit(genotypes[known], values[known])(genotypes[left])

    def of(truth: Floats, guess: Floats) -> dict[str, float]:
        return {
            "mae": round(float(np.abs(truth - guess).mean()), 4),
            "r2": round(float(1 - ((truth - guess) ** 2).mean() / truth.var()), 3),
            "kendall": round(float(kendalltau(truth, guess).statistic), 3),
        }

    return {
        "families": [of(a, b) for a, b in zip(values.T, guessed.T, strict=True)],
        "mean": of(values.mean(axis=1), guessed.mean(axis=1)),
    }
