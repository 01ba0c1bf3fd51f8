# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 09 log_flood_stdout
# EXPECT: scored|output|timeout
# LAYER:  log-driver local max-size=1m max-file=1 (or none) / bounded pipe reader that kills past a limit
# NOTE:   200 MB; host disk use and harness memory must stay flat
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for _ in range(200): sys.stdout.write("A" * (1 << 20) + "\n")
sys.stdout.flush()
class Learner(Base): pass
