# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 45 eq_object_predictions
# EXPECT: protocol|crash|exception|scored
# LAYER:  predictions cross as raw bytes of a fixed dtype; an object with __eq__ cannot
# NOTE:   scores chance level, not 1.0
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import numpy as np
class Always(np.ndarray):
    def __eq__(self, o): return np.ones(len(self), bool)
    def __array_function__(self, *a, **k): return 1.0
class Learner(Base):
    def predict(self, x, task=None):
        return np.zeros((len(x), self.spec.outputs), np.float32).view(Always)
