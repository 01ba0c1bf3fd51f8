# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 69 early_answers
# EXPECT: protocol
# LAYER:  bytes that wait before a question are refused; sequence numbers
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, struct
class Learner(Base):
    def observe(self, x, y, task=None):
        super().observe(x, y, task)
        body = b"\0" * (4 * self.spec.outputs)
        for fd in range(3, 20):
            try: s = socket.socket(fileno=os.dup(fd))
            except OSError: continue
            for sequence in range(64):
                head = struct.pack("<4sBBBBIIQ4I", b"CBR1", 65, 1, 2, 0, sequence, 0, len(body), 1, self.spec.outputs, 0, 0)
                try: s.send(head + body)
                except OSError: break
