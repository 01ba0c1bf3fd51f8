# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 01 fork_bomb
# EXPECT: timeout|crash|exception|scored|memory
# LAYER:  pids cgroup (--pids-limit) + wall-clock kill of the container
# NOTE:   pids.max=64 => EAGAIN; the whole tree dies with the container
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for _ in range(100000):
    try: os.fork()
    except OSError as e: say("BLOCKED fork", e); break
import time; time.sleep(60)
class Learner(Base): pass
