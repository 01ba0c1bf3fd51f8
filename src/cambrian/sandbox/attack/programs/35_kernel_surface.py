# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 35 kernel_surface
# EXPECT: scored
# INSIDE gvisor: gVisor's kernel has these calls
# LAYER:  custom seccomp: io_uring, keyctl, bpf, userfaultfd, perf, fsopen, open_by_handle_at
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes; l = ctypes.CDLL(None, use_errno=True)
for n, nr, a in (("io_uring_setup", 425, (1, 0)), ("keyctl", 250, (0, -3, 0)), ("bpf", 321, (0, 0, 0)), ("userfaultfd", 323, (0,)), ("perf", 298, (0, 0, 0, 0, 0)), ("fsopen", 430, (b"tmpfs", 0)), ("open_by_handle_at", 304, (0, 0, 0)), ("add_key", 248, (b"user", b"a", b"b", 1, -3))):
    r = l.syscall(nr, *a); e = ctypes.get_errno(); say("BLOCKED" if r < 0 and e in (1, 38, 13) else "BREACH reached kernel", n, r, e)
class Learner(Base): pass
