# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 125 the_kernel_chooses_another
# EXPECT: memory|timeout|scored
# EXPECT gvisor: memory|timeout|scored|crash
# NOTE:   scored only where the memory of children is not bounded (an ordinary user's bubblewrap)
# LAYER:  a process that is spared leaves another to die; memory is the learner's verdict whoever dies
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

# Small children that ask the kernel to spare them, so that the largest process dies: the zygote.
import time
def spare():
    try: open("/proc/self/oom_score_adj", "w").write("0")
    except OSError as e: say("BLOCKED", e)
spare()
class Learner(Base):
    steps = 0
    def observe(self, x, y, task=None):
        super().observe(x, y, task)
        Learner.steps += 1
        if Learner.steps == 3:
            for _ in range(40):
                if os.fork() == 0:
                    spare(); hoard = bytearray(os.urandom(1 << 12)) * (20 << 8); time.sleep(100)
            time.sleep(1.5)
