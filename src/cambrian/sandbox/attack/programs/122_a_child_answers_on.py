# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 122 a_child_answers_on
# EXPECT: crash
# LAYER:  the job's process is the job: its end is the job's, whoever holds the door
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    steps = 0
    def observe(self, x, y, task=None):
        super().observe(x, y, task)
        Learner.steps += 1
        if Learner.steps == 5 and os.fork():
            os._exit(0)
