# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 51 pickle_bomb
# EXPECT: protocol|crash|exception
# LAYER:  no pickle/torch.load on the host; raw frames only
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import pickle, numpy as np
class E:
    def __reduce__(self): return os.system, ("touch @CANARY@.pwned",)
class Learner(Base):
    def predict(self, x, task=None):
        return np.frombuffer(pickle.dumps(E()), np.uint8)
