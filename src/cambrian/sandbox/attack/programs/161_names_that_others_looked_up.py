# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 161 names_that_others_looked_up
# EXPECT: scored
# TIMES: 2
# LAYER:  the kernel remembers which names were looked up, also where there was no such file; in folders that sessions share that is a message to any of them: no openat2, whose RESOLVE_CACHED asks only that memory
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, errno, struct
libc = ctypes.CDLL(None, use_errno=True)
RESOLVE_CACHED, OPENAT2 = 0x20, 437
def remembered(path):
    how = struct.pack("QQQ", os.O_RDONLY, 0, RESOLVE_CACHED)
    ctypes.set_errno(0)
    result = libc.syscall(OPENAT2, -100, path.encode(), how, len(how))
    return result >= 0 or ctypes.get_errno() == errno.ENOENT
folder = os.path.dirname(os.__file__)
names = [f"{folder}/none-{n:03}" for n in range(64)]
found = [remembered(name) for name in names]
if any(found): say("BREACH names that somebody looked up", sum(found))
for name in names[::2]: os.path.exists(name)
if any(map(remembered, names)): say("BREACH the names it looked up are told from the others")
class Learner(Base): pass
