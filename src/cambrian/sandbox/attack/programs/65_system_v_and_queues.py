# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 65 system_v_and_queues
# EXPECT: scored
# INSIDE gvisor: gVisor's kernel has them, for the session's life
# LAYER:  seccomp: what outlives a process cannot be made; /dev/mqueue masked
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes; l = ctypes.CDLL(None, use_errno=True)
for n, r in (("shmget", l.shmget(77, 4096, 0o1666)), ("semget", l.semget(77, 1, 0o1666)), ("msgget", l.msgget(77, 0o1666))):
    say("BREACH" if r >= 0 else "BLOCKED", n)
for p in ("/dev/mqueue/a", "/dev/shm/a", "/run/a", "/var/tmp/a", "/dev/a"):
    try: open(p, "w").close(); say("BREACH wrote", p)
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
