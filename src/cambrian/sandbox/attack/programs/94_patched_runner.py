# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 94 patched_runner
# EXPECT: scored|protocol|limit|nonfinite|exception
# LAYER:  nothing in the learner's process decides anything: the host checks and scores
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import gc
import cambrian.sandbox.runner.job as job, cambrian.sandbox.runner.meter as meter
import numpy as np
meter.FlopMeter.call = lambda self, sort, function, *a, **k: function(*a, **k)
meter.state_bytes = job.state_bytes = lambda *a, **k: 0
job.LearnerJob._scores = lambda self, inputs, *a, **k: np.full((len(inputs), self.outputs), 1.0, np.float32)
for thing in gc.get_objects():
    if type(thing).__name__ == "LearnerJob": thing.meter.total = 0
class Learner(Base): pass
