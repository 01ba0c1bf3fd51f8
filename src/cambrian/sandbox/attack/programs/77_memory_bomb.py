# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 77 memory_bomb
# EXPECT: memory
# REQUEST_S: 15
# LAYER:  memory cgroup; the zygote outlives it
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None):
        held = []
        while True: held.append(bytearray(b"1" * (16 << 20)))
