# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 102 stack_overflow
# EXPECT: crash|exception|memory|timeout
# LAYER:  a crash is the learner's own
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

sys.setrecursionlimit(10**9)
class Learner(Base):
    def predict(self, x, task=None):
        def down(n): return down(n + 1) + 1
        return down(0)
