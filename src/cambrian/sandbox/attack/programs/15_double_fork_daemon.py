# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 15 double_fork_daemon
# EXPECT: scored
# LAYER:  PID namespace: killing PID 1 kills every descendant, setsid or not; verified by pids left on the host
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
class Learner(Base): pass
