# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 68 close_everything
# EXPECT: crash
# LAYER:  the channel is gone, and with it the job
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None):
        os.closerange(0, 256)
        return super().predict(x, task)
