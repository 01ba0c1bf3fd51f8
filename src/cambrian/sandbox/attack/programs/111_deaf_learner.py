# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 111 deaf_learner
# EXPECT: timeout
# LAYER:  what does not read its input is late too
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import time, signal
class Learner(Base):
    def observe(self, x, y, task=None):
        super().observe(x, y, task)
        while True: signal.pause()
