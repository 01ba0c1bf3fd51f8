# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 57 out_sparse_huge
# EXPECT: scored
# LAYER:  RLIMIT_FSIZE
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try: fd = os.open("big.npy", os.O_CREAT | os.O_RDWR, 0o644); os.ftruncate(fd, 10 << 30); say("BREACH 10 GB sparse")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
