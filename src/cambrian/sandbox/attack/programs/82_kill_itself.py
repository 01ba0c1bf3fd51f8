# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 82 kill_itself
# EXPECT: crash
# LAYER:  a crash is the learner's own, not a broken sandbox
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None): os.kill(os.getpid(), 9)
