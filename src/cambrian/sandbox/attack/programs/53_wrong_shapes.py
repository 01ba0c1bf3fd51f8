# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 53 wrong_shapes
# EXPECT: protocol
# LAYER:  exact shape+dtype asserted from the request
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import numpy as np
class Learner(Base):
    def predict(self, x, task=None):
        return np.zeros((len(x) + 1, 3), np.int64)
