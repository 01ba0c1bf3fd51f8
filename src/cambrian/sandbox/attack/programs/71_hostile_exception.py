# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 71 hostile_exception
# EXPECT: exception
# LAYER:  text from agents is neutralised; no lone surrogate passes
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Sly(Exception):
    def __str__(self): return "\ud800\x1b[2J\u202e<b>\x00" * 100
class Learner(Base):
    def predict(self, x, task=None): raise Sly
