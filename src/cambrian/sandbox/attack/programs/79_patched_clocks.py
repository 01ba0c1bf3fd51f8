# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 79 patched_clocks
# EXPECT: scored
# LAYER:  time is the host's clock, processor time the cgroup's
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import time, resource
time.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0
resource.getrusage = lambda *a: None
os.times = lambda: None
class Learner(Base): pass
