# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 85 odd_sockets
# EXPECT: scored
# INSIDE gvisor: its own network stack, with a loopback and no more
# LAYER:  seccomp: AF_UNIX only, whatever the upper half of the argument holds
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, socket; l = ctypes.CDLL(None, use_errno=True)
for family in (2, 10, 16, 17, 31, 38, 40, 44):
    for word in (family, family | 1 << 32):
        r = l.syscall(41, ctypes.c_uint64(word), 1, 0); say("BREACH" if r >= 0 else "BLOCKED", family, ctypes.get_errno())
try: socket.create_connection(("127.0.0.1", 80), 1); say("BREACH connected")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
