"""What one would take without a search: usual choices of river and scikit-learn, and naive guesses.

Each stands for itself with the settings that its library comes with. It is told rows bit by bit, as
a learner is, and may keep what it likes of them: nothing bounds its memory.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.data import Floats

LEAST, GROWTH, WINDOW = 20, 0.05, 1000
"""What is refitted is so from 20 rows on, whenever a twentieth of the rows that it is fitted to is
new; boosting is fitted to the last 1000."""


class Baseline(ABC):
    """One model on one stream. Rows x are (B, inputs) float32; answers are (B, outputs)."""

    @abstractmethod
    def predict(self, x: Floats) -> Floats:
        """A score (B, outputs) for each class, the largest wins; or of regression the number."""

    @abstractmethod
    def learn(self, x: Floats, y: Any) -> None:
        """Take in rows with their labels: y (B,) int64, or of regression (B, 1) float32."""


class LastLabel(Baseline):
    """The label that was told last, whatever is asked."""

    def __init__(self, spec: TaskSpec) -> None:
        self._answer = np.zeros(spec.outputs, np.float32)
        self._classes = _classes(spec)

    def predict(self, x: Floats) -> Floats:
        """The same for all rows (B, outputs)."""
        return np.tile(self._answer, (len(x), 1))

    def learn(self, x: Floats, y: Any) -> None:
        """Only the last of the labels (B,) or (B, 1) counts."""
        if self._classes:
            self._answer = np.eye(self._classes, dtype=np.float32)[y[-1]]
        else:
            self._answer = np.asarray(y[-1], np.float32)


class Commonest(Baseline):
    """The commonest label so far; of regression the mean so far."""

    def __init__(self, spec: TaskSpec) -> None:
        self._sums = np.zeros(spec.outputs)
        self._rows = 0
        self._classes = _classes(spec)

    def predict(self, x: Floats) -> Floats:
        """The same for all rows (B, outputs)."""
        share = self._sums / max(self._rows, 1)
        return np.tile(share.astype(np.float32), (len(x), 1))

    def learn(self, x: Floats, y: Any) -> None:
        """Count the labels (B,), or add up the numbers (B, 1)."""
        counted = np.bincount(y, minlength=self._classes) if self._classes else y.sum(axis=0)
        self._sums += counted
        self._rows += len(y)


class RowByRow(Baseline):
    """A model of river, told one row after the other."""

    def __init__(self, spec: TaskSpec, model: Any) -> None:
        self._model, self._outputs, self._classes = model, spec.outputs, _classes(spec)

    def predict(self, x: Floats) -> Floats:
        """Asked row by row: (B, outputs)."""
        found = np.zeros((len(x), self._outputs), np.float32)
        for place, row in enumerate(x):
            if self._classes:
                for label, share in self._model.predict_proba_one(_row(row)).items():
                    found[place, label] = share
            else:
                found[place, 0] = self._model.predict_one(_row(row)) or 0.0
        return found

    def learn(self, x: Floats, y: Any) -> None:
        """Told row by row: labels (B,), or numbers (B, 1)."""
        for row, told in zip(x, np.ravel(y), strict=True):
            self._model.learn_one(_row(row), int(told) if self._classes else float(told))


class StepByStep(Baseline):
    """A model of scikit-learn with `partial_fit`."""

    def __init__(self, spec: TaskSpec, model: Any) -> None:
        self._model, self._outputs, self._classes = model, spec.outputs, _classes(spec)
        self._told = False

    def predict(self, x: Floats) -> Floats:
        """Zeros (B, outputs) until something was told."""
        if not self._told:
            return np.zeros((len(x), self._outputs), np.float32)
        found = self._model.predict_proba(x) if self._classes else self._model.predict(x)[:, None]
        return np.asarray(found, np.float32)

    def learn(self, x: Floats, y: Any) -> None:
        """One step for each row, in their order: labels (B,), or numbers (B, 1)."""
        if self._classes:
            self._model.partial_fit(x, y, classes=np.arange(self._classes))
        else:
            self._model.partial_fit(x, y[:, 0])
        self._told = True


class Refitted(Baseline):
    """A model of scikit-learn, fitted anew to the rows told so far (or the last `window` of them)
    when a twentieth of them is new. Until it can be, the commonest label so far."""

    def __init__(self, spec: TaskSpec, make: Callable[[], Any], window: int | None = None) -> None:
        self._make, self._window = make, window
        self._outputs, self._classes = spec.outputs, _classes(spec)
        self._until = Commonest(spec)
        self._x: list[Any] = []
        self._y: list[Any] = []
        self._rows, self._next = 0, float(LEAST)
        self._model: Any = None

    def predict(self, x: Floats) -> Floats:
        """Answers (B, outputs) of the last fit; it is made now if it is due."""
        if self._rows >= self._next:
            self._fit()
        if self._model is None:
            return self._until.predict(x)
        if not self._classes:
            return np.asarray(self._model.predict(x)[:, None], np.float32)
        found = np.zeros((len(x), self._outputs), np.float32)
        found[:, self._model.classes_] = self._model.predict_proba(x)
        return found

    def learn(self, x: Floats, y: Any) -> None:
        """Keep the rows and their labels (B,) or (B, 1)."""
        self._until.learn(x, y)
        self._x.append(x)
        self._y.append(np.ravel(y))
        self._rows += len(x)

    def _fit(self) -> None:
        x, y = np.concatenate(self._x), np.concatenate(self._y)
        if self._window is not None:
            x, y = x[-self._window :], y[-self._window :]
            self._x, self._y = [x], [y]
        grown = min(self._rows, self._window or self._rows) * GROWTH
        self._next = self._rows + max(1.0, grown)
        if self._classes and len(np.unique(y)) < 2:
            self._model = None
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that did not converge answers all the same
            self._model = self._make().fit(x, y)


@dataclass(frozen=True)
class Choice:
    """A usual choice.

    Attributes:
        title: as people call it.
        library: what it needs beside numpy; "" for nothing.
        make: one for a stream and a seed.
    """

    title: str
    library: str
    make: Callable[[TaskSpec, int], Baseline]


def _classes(spec: TaskSpec) -> int:
    """How many classes there are; 0 for regression."""
    return spec.outputs if spec.kind == "classification" else 0


def _row(row: Any) -> dict[int, float]:
    return dict(enumerate(row.tolist()))


def _hoeffding(spec: TaskSpec, seed: int) -> Baseline:
    from river import tree

    wanted = tree.HoeffdingTreeClassifier if _classes(spec) else tree.HoeffdingTreeRegressor
    return RowByRow(spec, wanted())


def _adaptive_forest(spec: TaskSpec, seed: int) -> Baseline:
    from river import forest

    wanted = forest.ARFClassifier if _classes(spec) else forest.ARFRegressor
    return RowByRow(spec, wanted(seed=seed))


def _linear(spec: TaskSpec, seed: int) -> Baseline:
    from sklearn.linear_model import LogisticRegression, Ridge

    if _classes(spec):
        return Refitted(spec, lambda: LogisticRegression(max_iter=1000))
    return Refitted(spec, Ridge)


def _sgd(spec: TaskSpec, seed: int) -> Baseline:
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    if _classes(spec):
        return StepByStep(spec, SGDClassifier(loss="log_loss", random_state=seed))
    return StepByStep(spec, SGDRegressor(random_state=seed))


def _boosting(spec: TaskSpec, seed: int) -> Baseline:
    from sklearn import ensemble

    if _classes(spec):
        wanted = ensemble.HistGradientBoostingClassifier
    else:
        wanted = ensemble.HistGradientBoostingRegressor
    return Refitted(spec, lambda: wanted(random_state=seed), WINDOW)


_COMMON = {
    "last-label": Choice("the last label", "", lambda spec, _: LastLabel(spec)),
    "commonest": Choice("the commonest label", "", lambda spec, _: Commonest(spec)),
    "hoeffding-tree": Choice("Hoeffding tree", "river", _hoeffding),
    "sgd": Choice("SGD (step by step)", "scikit-learn", _sgd),
    "linear": Choice("logistic regression (refitted)", "scikit-learn", _linear),
    "adaptive-forest": Choice("adaptive random forest", "river", _adaptive_forest),
    "boosting": Choice("gradient boosting (last 1000 rows)", "scikit-learn", _boosting),
}
"""From the cheapest to the dearest."""


def baselines(regression: bool = False) -> Mapping[str, Choice]:
    """The usual choices by name, the cheapest first."""
    if not regression:
        return _COMMON
    titles = {"commonest": "the mean so far", "linear": "ridge regression (refitted)"}
    return {
        name: Choice(titles.get(name, one.title), one.library, one.make)
        for name, one in _COMMON.items()
    }
