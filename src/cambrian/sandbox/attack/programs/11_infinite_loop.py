# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 11 infinite_loop
# EXPECT: timeout
# LAYER:  host wall-clock deadline -> SIGKILL of the container (never a signal handler inside)
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

while True: pass
class Learner(Base): pass
