# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 103 exception_without_end
# EXPECT: exception|memory|timeout|crash
# LAYER:  text is cut inside and outside; a cycle of causes ends
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Big(Exception):
    def __str__(self): return "x" * (64 << 20)
    def __repr__(self): return "y" * (64 << 20)
class Learner(Base):
    def predict(self, x, task=None):
        first, second = Big(), Big()
        first.__cause__, second.__cause__ = second, first
        raise first
