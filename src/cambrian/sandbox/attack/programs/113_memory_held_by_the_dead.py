# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 113 memory_held_by_the_dead
# EXPECT: scored|memory|crash|timeout
# LAYER:  what processes share goes with them; 64 MB of the host are all that may be missing
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import mmap, time
held = mmap.mmap(-1, 96 << 20)
for at in range(0, len(held), 4096): held[at] = 1
if os.fork() == 0: os.setsid(); time.sleep(600)
try: open("/tmp/full", "wb").write(bytes(16 << 20)); fd = os.open("/tmp/full", os.O_RDWR); mmap.mmap(fd, 16 << 20)
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
