# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 128 answers_ahead
# EXPECT: protocol
# LAYER:  an answer has its request's number, which nobody knows to be asked before it is
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

# Good answers, ahead of time and one after the other in a single segment, for every number to come.
import socket, struct
class Learner(Base):
    def predict(self, x, task=None):
        scores = super().predict(x, task)
        if len(x) == 8:
            body = scores.numpy().tobytes()
            for fd in range(3, 20):
                try: s = socket.socket(fileno=os.dup(fd))
                except OSError: continue
                s.setblocking(False)
                frames = [struct.pack("<4sBBBBIIQ4I", b"CBR1", 65, 1, 2, 0, n, 0, len(body), 8, self.spec.outputs, 0, 0) + body for n in range(5, 60)]
                try: s.send(b"".join(frames))
                except OSError: continue
        return scores
