# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 109 counters_as_messages
# EXPECT: scored
# LAYER:  process ids and inodes that a job used up are counted: too many spend the session
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import time
ino = lambda: os.stat(os.open("/tmp/n", os.O_CREAT)).st_ino
began, pid = ino(), os.getpid()
if pid > 2500: say("BREACH counter of the last job", pid)
import threading
for _ in range(100): t = threading.Thread(target=int); t.start(); t.join()
for n in range(200): os.close(os.open("/tmp/f", os.O_CREAT)); os.unlink("/tmp/f")
class Learner(Base): pass
