# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 110 huge_but_finite
# EXPECT: scored
# LAYER:  metrics of numbers at the edge of what float32 holds
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None): return (super().predict(x, task).sign() * 3.4e38).nan_to_num()
