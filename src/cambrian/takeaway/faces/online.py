"""The learner as a classifier of river."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from river import base
from scipy.special import softmax

from .plain import MEMORY_BYTES, Stream
from .scaling import RunningScale


class OnlineClassifier(base.Classifier):
    """A classifier that is told one row at a time.

    Args:
        classes: how many classes there may be; each gets its place when it first comes.
        features: names of the columns; those of the first row, where none are given. A value that
            is missing counts as the mean, and a column of another name not at all.
        batch_size: after how many rows the learner takes a step: it was made for batches.
        standardise: whether columns are centred and scaled by what was seen so far.
        seed: decides every random choice.
        memory_bytes: what the learner may hold.
        observations: how many rows are going to come, where that is known.
    """

    def __init__(
        self,
        classes: int = 10,
        features: Sequence[str] | None = None,
        batch_size: int = 10,
        standardise: bool = True,
        seed: int = 0,
        memory_bytes: int = MEMORY_BYTES,
        observations: int = 0,
    ) -> None:
        self.classes = classes
        self.features = features
        self.batch_size = batch_size
        self.standardise = standardise
        self.seed = seed
        self.memory_bytes = memory_bytes
        self.observations = observations
        self._columns: list[Any] = list(features or ())
        self._names: list[Hashable] = []
        self._stream: Stream | None = None
        self._x: list[Any] = []
        self._y: list[int] = []

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[Hashable, Any], y: Any) -> None:
        """Take in one row and its label; every `batch_size` rows the learner learns from them.

        Raises:
            ValueError: more classes came than were announced.
        """
        if y not in self._names:
            if len(self._names) == self.classes:
                raise ValueError(
                    f"expected at most {self.classes} classes; got another one, {y!r}: say how "
                    "many there are, OnlineClassifier(classes=N)"
                )
            self._names.append(y)
        self._start(x)
        self._x.append(self._row(x))
        self._y.append(self._names.index(y))
        if len(self._y) >= self.batch_size:
            self._learn()

    def predict_proba_one(self, x: dict[Hashable, Any], **_: Any) -> dict[Any, float]:
        """The probability of each class that has come so far; empty before the first."""
        if self._stream is None or not self._names:
            return {}
        scores = self._stream.predict(self._scaled(np.array([self._row(x)])))
        shares = softmax(scores.numpy()[0, : len(self._names)].astype(np.float64))
        return dict(zip(self._names, shares.tolist(), strict=True))

    def _start(self, x: dict[Hashable, Any]) -> None:
        if self._stream is not None:
            return
        self._columns = self._columns or sorted(x, key=str)
        self._scale = RunningScale(len(self._columns))
        self._stream = Stream(
            len(self._columns),
            max(2, self.classes),
            seed=self.seed,
            batch_size=self.batch_size,
            memory_bytes=self.memory_bytes,
            observations=self.observations,
        )

    def _row(self, x: dict[Hashable, Any]) -> list[float]:
        mean = self._scale.mean if self.standardise else np.zeros(len(self._columns))
        given = [x.get(name) for name in self._columns]
        # What is missing is not there, None or NaN, the one value that does not equal itself.
        return [
            float(mean[n] if value is None or value != value else value)
            for n, value in enumerate(given)
        ]

    def _learn(self) -> None:
        rows = np.array(self._x)
        if self.standardise:
            self._scale.add(rows)
        if self._stream is not None:
            self._stream.observe(self._scaled(rows), self._y)
        self._x, self._y = [], []

    def _scaled(self, rows: Any) -> Any:
        return self._scale(rows) if self.standardise else rows.astype(np.float32)
