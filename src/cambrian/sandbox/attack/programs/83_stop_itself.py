# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 83 stop_itself
# EXPECT: timeout
# LAYER:  the host's deadline
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None):
        os.kill(os.getpid(), 19)
        return super().predict(x, task)
