# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 87 answer_with_objects
# EXPECT: exception
# LAYER:  an answer is an array of numbers, made so inside
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None): return [object()] * len(x)
