# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 88 forked_learners
# EXPECT: scored|protocol|timeout|crash
# LAYER:  one job is one conversation, whoever of the learner holds it
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def observe(self, x, y, task=None):
        super().observe(x, y, task)
        if not hasattr(self, "forked"):
            self.forked = True
            if os.fork() == 0: os._exit(0)
