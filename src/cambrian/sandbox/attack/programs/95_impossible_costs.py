# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 95 impossible_costs
# EXPECT: protocol
# LAYER:  a count is a whole number within bounds, whatever the learner's process says
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import cambrian.sandbox.runner.job as job, cambrian.sandbox.runner.frames as frames
send = frames.FrameSocket.send
def lie(self, kind, sequence=0, meta=None, array=None, **k):
    if meta and "flops" in meta: meta = {"flops": -1e308, "state_bytes": True, "score": 1.0, "verdict": "scored"}
    return send(self, kind, sequence, meta, array, **k)
frames.FrameSocket.send = lie
class Learner(Base): pass
