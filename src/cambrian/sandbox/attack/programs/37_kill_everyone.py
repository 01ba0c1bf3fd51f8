# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 37 kill_everyone
# EXPECT: crash|exception|scored|timeout
# LAYER:  PID namespace; uid differs from any supervisor. In a SHARED zygote container this kills the other jobs
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

try: os.kill(-1, 9); say("kill(-1) done")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
