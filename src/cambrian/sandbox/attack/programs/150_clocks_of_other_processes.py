# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 150 clocks_of_other_processes
# EXPECT: scored
# INSIDE gvisor: each job has a sandbox of its own there, process 1 included
# LAYER:  a negative clock id names any process's processor clock, process 1's among them: only the fixed clocks may be asked, set as timers or slept on
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, time
libc = ctypes.CDLL(None, use_errno=True)
stamp = (ctypes.c_long * 2)()
for kind in (0, 1, 2, 6):
    clock = (~1 << 3) | kind
    try: say("BREACH clock of process 1", time.clock_gettime(clock))
    except OSError as e: say("BLOCKED", kind, e)
    handle = ctypes.c_int()
    if libc.timer_create(clock, None, ctypes.byref(handle)) == 0: say("BREACH timer on the clock of process 1")
    if libc.syscall(230, clock, 0, stamp, None) == 0: say("BREACH slept on the clock of process 1")
class Learner(Base): pass
