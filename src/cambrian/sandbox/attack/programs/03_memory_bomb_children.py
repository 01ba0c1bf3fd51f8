# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 03 memory_bomb_children
# EXPECT: memory|timeout|crash|exception
# LAYER:  memory cgroup counts the whole tree; PID 1 may survive, so OOM must be read from memory events, not only from the exit code
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import time
for _ in range(8):
    if os.fork() == 0:
        x = bytearray(b"1" * (200 << 20)); time.sleep(60); os._exit(0)
time.sleep(60)
class Learner(Base): pass
