# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 33 ptrace_and_process_vm
# EXPECT: scored
# INSIDE gvisor: the guest may trace its own processes
# LAYER:  seccomp (ptrace, process_vm_readv denied), non-dumpable/other-uid supervisor, PID ns
# NOTE:   WEAK only matters where jobs share a container (zygote)
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes; l = ctypes.CDLL(None, use_errno=True)
pp = os.getppid() or 1
r = l.ptrace(16, pp, 0, 0); say("BREACH ptrace attach parent" if r == 0 else "BLOCKED ptrace", ctypes.get_errno())
r = l.ptrace(0, 0, 0, 0); say("BREACH PTRACE_TRACEME allowed" if r == 0 else "BLOCKED traceme", ctypes.get_errno())
try: open("/proc/1/mem", "rb").read(1); say("BREACH /proc/1/mem opened")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
