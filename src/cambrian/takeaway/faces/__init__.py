"""A learner with three faces: plain torch, scikit-learn and river.

`Stream` is the learner itself, with tensors; it needs torch and numpy. `Classifier` is an estimator
of scikit-learn, `OnlineClassifier` one of river: each is imported when it is asked for, and needs
that library.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .plain import Stream

_FACES = {"Classifier": ".estimator", "OnlineClassifier": ".online"}

__all__ = ["Classifier", "OnlineClassifier", "Stream"]


def __getattr__(name: str) -> Any:
    if name not in _FACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FACES[name], __name__), name)
