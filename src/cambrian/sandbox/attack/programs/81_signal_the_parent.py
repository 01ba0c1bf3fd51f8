# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 81 signal_the_parent
# EXPECT: scored
# EXPECT gvisor: scored|crash
# LAYER:  process 1 of a namespace ignores what it does not handle
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for number in range(1, 32):
    try: os.kill(os.getppid(), number)
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
