# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 121 signals_by_descriptor
# EXPECT: scored
# EXPECT gvisor: scored|crash
# LAYER:  process 1 takes no signal from inside, not even one that the kernel sends for a descriptor
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, fcntl, signal, socket
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGIO, signal.SIGRTMIN):
    a, b = socket.socketpair()
    try:
        fcntl.fcntl(a, fcntl.F_SETOWN, 1)
        fcntl.fcntl(a, fcntl.F_SETSIG, int(number))
        fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        for _ in range(8): b.send(b"x")
        b.close()
    except OSError as e: say("BLOCKED", e)
# children whose end is told by SIGKILL and SIGSTOP: the kernel puts SIGCHLD in its place
libc = ctypes.CDLL(None, use_errno=True)
if os.fork() == 0:
    for number in (9, 19):
        if libc.syscall(56, number, 0, 0, 0, 0) == 0: os._exit(0)
    os._exit(0)
class Learner(Base): pass
