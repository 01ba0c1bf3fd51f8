# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 126 the_dead_and_the_stopped
# EXPECT: scored
# LAYER:  killed until nothing is left, zombies reaped
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import signal, time
class Learner(Base):
    def __init__(self, *a, **k):
        super().__init__(*a, **k)
        for number in range(12):
            if os.fork() == 0:
                if number % 3 == 0: os._exit(0)
                os.setsid()
                if number % 3 == 1: os.kill(os.getpid(), signal.SIGSTOP)
                if os.fork() == 0: time.sleep(100)
                os._exit(0)
