# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 104 strange_tensors
# EXPECT: exception|protocol|nonfinite|crash
# LAYER:  an answer is dense float32 of a known shape, or it is none
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import torch
class Learner(Base):
    calls = 0
    def predict(self, x, task=None):
        Learner.calls += 1
        shape = (len(x), self.spec.outputs)
        return [torch.empty(shape, device="meta"), torch.zeros(shape).to_sparse(), torch.zeros(shape, dtype=torch.complex64)][Learner.calls % 3]
