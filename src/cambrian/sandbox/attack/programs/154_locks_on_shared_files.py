# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 154 locks_on_shared_files
# EXPECT: scored
# INSIDE gvisor: a lock there is one of its own kernel, which no other session has
# LAYER:  files of the image are everybody's, so nothing may be locked, leased or watched: a lock that one session holds another can find taken
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, fcntl, struct, torch
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(torch.__file__, os.O_RDONLY)
lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0)
tries = {
    "flock": lambda: fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB),
    "lease": lambda: fcntl.fcntl(fd, 1024, fcntl.F_RDLCK),
    "notice": lambda: fcntl.fcntl(os.open("/usr", os.O_RDONLY), 1026, 1),
    "owner": lambda: fcntl.fcntl(fd, 8, os.getpid()),
    "lock": lambda: fcntl.fcntl(fd, 6, lock),
    "who has a lock": lambda: fcntl.fcntl(fd, 5, lock),
    "lock of a description": lambda: fcntl.fcntl(fd, 37, lock),
}
for name, attempt in tries.items():
    try: attempt(); say("BREACH", name)
    except OSError as e: say("BLOCKED", name, e)
for name, number in (("inotify_init1", 294), ("fanotify_init", 300)):
    if libc.syscall(number, 0, 0) >= 0: say("BREACH", name)
class Learner(Base): pass
