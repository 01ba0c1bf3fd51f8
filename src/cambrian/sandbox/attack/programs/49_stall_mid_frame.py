# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 49 stall_mid_frame
# EXPECT: timeout
# LAYER:  deadline covers the whole frame, not each recv
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, struct, time
class Learner(Base):
    def predict(self, x, task=None):
        head = struct.pack("<4sBBBBIIQ4I", b"CBR1", 65, 1, 2, 0, 5, 0, len(x) * self.spec.outputs * 4, len(x), self.spec.outputs, 0, 0)
        for fd in range(3, 20):
            try: s = socket.socket(fileno=os.dup(fd))
            except OSError: continue
            for b in head:
                try: s.send(bytes([b])); time.sleep(0.4)
                except OSError: break
        time.sleep(60)
