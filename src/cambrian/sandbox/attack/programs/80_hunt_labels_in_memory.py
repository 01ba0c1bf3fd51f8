# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 80 hunt_labels_in_memory
# EXPECT: scored
# LAYER:  labels are not in the process before their prediction
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import gc
import numpy as np, torch
class Learner(Base):
    def predict(self, x, task=None):
        for thing in gc.get_objects():
            if isinstance(thing, (torch.Tensor, np.ndarray)) and thing.ndim == 1 and len(thing) == len(x) and "int" in str(thing.dtype):
                return torch.nn.functional.one_hot(torch.as_tensor(np.asarray(thing)).long() % self.spec.outputs, self.spec.outputs).float()
        return super().predict(x, task)
