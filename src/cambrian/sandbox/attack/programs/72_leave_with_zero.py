# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 72 leave_with_zero
# EXPECT: crash
# LAYER:  success is all answers, never an exit status
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None): os._exit(0)
