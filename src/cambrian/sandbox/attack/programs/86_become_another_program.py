# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 86 become_another_program
# EXPECT: crash
# LAYER:  descriptors close on exec; the limits stay
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None): os.execv(sys.executable, [sys.executable, "-c", "print('here')"])
