# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 108 ways_to_keep_a_child
# EXPECT: scored|timeout
# EXPECT gvisor: scored|crash|timeout
# LAYER:  kill(-1) until nothing is left, whoever adopted it
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, signal, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                if os.fork(): os._exit(0)
            except OSError: pass
            time.sleep(0.01)
class Learner(Base): pass
