# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 98 half_a_tensor
# EXPECT: timeout
# LAYER:  the deadline covers the whole frame
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, struct, time
class Learner(Base):
    def predict(self, x, task=None):
        n = len(x) * self.spec.outputs * 4
        told = set()  # each socket once: a second half would make the first one whole
        for fd in range(3, 20):
            try:
                inode = os.fstat(fd).st_ino
                if inode in told: continue
                s = socket.socket(fileno=os.dup(fd))
                s.send(struct.pack("<4sBBBBIIQ4I", b"CBR1", 65, 1, 2, 0, 4, 0, n, len(x), self.spec.outputs, 0, 0) + bytes(n // 2))
                told.add(inode)
            except OSError: continue
        time.sleep(60)
