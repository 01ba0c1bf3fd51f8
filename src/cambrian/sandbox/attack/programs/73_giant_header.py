# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 73 giant_header
# EXPECT: protocol
# LAYER:  sizes checked before allocation
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, struct
class Learner(Base):
    def predict(self, x, task=None):
        for fd in range(3, 20):
            try: s = socket.socket(fileno=os.dup(fd))
            except OSError: continue
            for sequence in range(64):
                try: s.send(struct.pack("<4sBBBBIIQ4I", b"CBR1", 65, 1, 2, 0, sequence, 0, 1 << 62, 1 << 31, 1 << 31, 0, 0))
                except OSError: break
        return super().predict(x, task)
