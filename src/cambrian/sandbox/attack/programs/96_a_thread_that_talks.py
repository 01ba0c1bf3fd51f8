# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 96 a_thread_that_talks
# EXPECT: protocol|crash|timeout|exception
# LAYER:  sequence numbers, one answer per question, nothing early
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, struct, threading, time
def talk(outputs):
    while True:
        for fd in range(3, 20):
            try: s = socket.socket(fileno=os.dup(fd)); s.send(struct.pack("<4sBBBBIIQ4I", b"CBR1", 64, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0)); s.detach()
            except OSError: pass
        time.sleep(0.001)
class Learner(Base):
    def observe(self, x, y, task=None):
        super().observe(x, y, task)
        if not hasattr(self, "thread"): self.thread = threading.Thread(target=talk, args=(3,), daemon=True); self.thread.start()
