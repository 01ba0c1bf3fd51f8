# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 75 trap_at_the_exit
# EXPECT: scored
# LAYER:  a learner leaves in half a second or is killed
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import atexit, time
class Trap:
    encoding = "utf-8"
    def write(self, text): return len(text)
    def flush(self): raise RuntimeError("no")
    def fileno(self): return 1
sys.stdout = Trap()
atexit.register(time.sleep, 60)
class Learner(Base): pass
