# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 05 tmpfs_bomb
# EXPECT: scored|memory
# LAYER:  tmpfs size= limit (ENOSPC); pages are also charged to the memory cgroup
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

n = 0
try:
    with open("/tmp/a", "wb") as f:
        while n < 2048: f.write(b"x" * (1 << 20)); n += 1
    say("BREACH 2 GB in /tmp")
except OSError as e: say("BLOCKED after MB", n, e)
class Learner(Base): pass
