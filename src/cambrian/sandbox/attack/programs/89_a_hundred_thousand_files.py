# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 89 a_hundred_thousand_files
# EXPECT: scored
# LAYER:  inodes of the scratch place (Docker); time for emptying it (else the session is spent)
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import time
until, n = time.monotonic() + 1.2, 0
try:
    while time.monotonic() < until and n < 100_000: os.close(os.open(f"f{n}", os.O_CREAT)); n += 1
except OSError as e: say("BLOCKED", e)
say("files", n)
class Learner(Base): pass
