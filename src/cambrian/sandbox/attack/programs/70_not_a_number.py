# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 70 not_a_number
# EXPECT: nonfinite
# LAYER:  values checked on the host
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None): return super().predict(x, task) * float("nan")
