# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 97 two_answers
# EXPECT: protocol
# LAYER:  an answer too many is an early answer to the next question
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import cambrian.sandbox.runner.frames as frames
send = frames.FrameSocket.send
def twice(self, kind, sequence=0, meta=None, array=None, **k):
    send(self, kind, sequence, meta, array, **k)
    if array is not None: send(self, kind, sequence + 1, meta, array, **k)
frames.FrameSocket.send = twice
class Learner(Base): pass
