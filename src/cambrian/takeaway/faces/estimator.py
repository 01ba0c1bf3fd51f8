"""The learner as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .plain import MEMORY_BYTES, Stream
from .scaling import RunningScale

Array = NDArray[Any]


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier for `fit`, and for streams with `partial_fit`.

    Args:
        epochs: how often `fit` goes through its rows; `partial_fit` goes through them once.
        batch_size: how many rows are learned from at a time.
        standardise: whether columns are centred and scaled by what was learned from so far.
        random_state: decides every random choice.
        memory_bytes: what the learner may hold.
        observations: how many rows `partial_fit` is going to bring, where that is known.
        device: a torch device.
    """

    def __init__(
        self,
        epochs: int = 5,
        batch_size: int = 10,
        standardise: bool = True,
        random_state: Any = 0,
        memory_bytes: int = MEMORY_BYTES,
        observations: int = 0,
        device: str = "cpu",
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.standardise = standardise
        self.random_state = random_state
        self.memory_bytes = memory_bytes
        self.observations = observations
        self.device = device

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Forget everything, then learn X (N, columns) and its labels y (N,)."""
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        chance = check_random_state(self.random_state)
        self._start(np.unique(labels), len(rows) * self.epochs)
        if self.standardise:
            self.scale_.add(rows)
        for _ in range(self.epochs):
            order = chance.permutation(len(rows))
            self._learn(rows[order], labels[order])
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:  # noqa: N803
        """Learn X (N, columns) and y (N,) once, in their order; `classes` with the first call."""
        first = not hasattr(self, "stream_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        rows, labels = validate_data(self, X, y, dtype=np.float64, reset=first)
        check_classification_targets(labels)
        if first:
            self._start(np.unique(np.asarray(classes)), self.observations)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"expected the classes of the first call, {self.classes_}")
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise ValueError(f"expected labels of the classes {self.classes_}; got {unknown}")
        if self.standardise:
            self.scale_.add(rows)
        self._learn(rows, labels)
        return self

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Probabilities (N, classes), the columns in the order of `classes_`."""
        check_is_fitted(self, "stream_")
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        scores = self.stream_.predict(self._scaled(rows)).numpy()[:, : len(self.classes_)]
        return np.asarray(softmax(scores.astype(np.float64), axis=1))

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The likeliest class (N,) of each row."""
        found = self.predict_proba(X)
        return np.asarray(self.classes_[found.argmax(1)])

    def _start(self, classes: Array, observations: int) -> None:
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31)
        self.classes_ = classes
        self.scale_ = RunningScale(self.n_features_in_)
        self.stream_ = Stream(
            self.n_features_in_,
            max(2, len(classes)),
            seed=int(seed),
            device=self.device,
            observations=observations,
            batch_size=self.batch_size,
            memory_bytes=self.memory_bytes,
        )

    def _learn(self, rows: Array, labels: Array) -> None:
        numbers, x = np.searchsorted(self.classes_, labels), self._scaled(rows)
        for start in range(0, len(x), self.batch_size):
            now = slice(start, start + self.batch_size)
            self.stream_.observe(x[now], numbers[now])

    def _scaled(self, rows: Array) -> Array:
        return self.scale_(rows) if self.standardise else rows.astype(np.float32)
