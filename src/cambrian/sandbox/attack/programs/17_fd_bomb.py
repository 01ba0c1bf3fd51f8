# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 17 fd_bomb
# EXPECT: scored|crash|exception
# LAYER:  RLIMIT_NOFILE (--ulimit nofile=256:256)
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

f = []
try:
    for i in range(100000): f.append(os.open("/dev/null", 0))
    say("BREACH 100000 fds")
except OSError as e: say("BLOCKED after", len(f), e)
for x in f: os.close(x)
class Learner(Base): pass
