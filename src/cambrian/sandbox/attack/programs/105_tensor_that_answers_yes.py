# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 105 tensor_that_answers_yes
# EXPECT: scored|exception|protocol
# LAYER:  bytes cross, not objects: what a subclass says of itself stays behind
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import torch
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None): return super().__torch_function__(function, types, args, kwargs or {})
    def argmax(self, *a): return self
    def __eq__(self, other): return True
    def __array__(self, *a, **k): import numpy; return numpy.zeros(tuple(self.shape), numpy.float32)
class Learner(Base):
    def predict(self, x, task=None): return torch.zeros(len(x), self.spec.outputs).as_subclass(Yes)
