# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 13 sleep_past_step_deadline
# EXPECT: timeout
# LAYER:  per-step deadline measured on the host's monotonic clock
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import time
class Learner(Base):
    def predict(self, x, task=None):
        time.sleep(30)
        return super().predict(x, task)
