# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 74 pass_descriptors
# EXPECT: protocol|crash
# EXPECT gvisor: protocol|crash|scored
# LAYER:  the host takes bytes only: descriptors sent along are closed by the kernel
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket
class Learner(Base):
    def predict(self, x, task=None):
        for fd in range(3, 20):
            try: s = socket.socket(fileno=os.dup(fd))
            except OSError: continue
            for _ in range(50):
                try: socket.send_fds(s, [b"x"], [0, 1, 2])
                except OSError: break
        return super().predict(x, task)
