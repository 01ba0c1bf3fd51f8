# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 78 memory_in_a_ramdisk
# EXPECT: scored|memory
# LAYER:  tmpfs is bounded and charged to the memory cgroup
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

try:
    for i in range(1000): open(f"/tmp/{i}", "wb").write(b"x" * (1 << 20))
    say("BREACH 1 GB in /tmp")
except OSError as e: say("BLOCKED", i, e)
import mmap
try: m = mmap.mmap(-1, 1 << 40); say("reserved, not used")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
