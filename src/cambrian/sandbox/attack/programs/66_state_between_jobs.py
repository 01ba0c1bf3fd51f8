# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 66 state_between_jobs
# EXPECT: scored
# LAYER:  every writable place is emptied, every process killed, a fork per job
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, time, numpy
if getattr(numpy, "marked", False) or "MARK" in os.environ: say("BREACH memory of the last job")
places = ("/tmp/mark", "/tmp/job/mark", "/dev/mqueue/mark", "/var/tmp/mark", "/run/mark")
for p in places:
    if os.path.lexists(p): say("BREACH file of the last job", p)
for p in places:
    try: open(p, "w").write("1")
    except OSError: pass
s = socket.socket(socket.AF_UNIX)
try: s.bind("\0mark")
except OSError: say("BREACH socket of the last job")
if os.fork() == 0:
    os.setsid(); s.listen(); time.sleep(100)
others = [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())]
if len(others) > 1: say("BREACH processes of the last job", others)
numpy.marked = True; os.environ["MARK"] = "1"
class Learner(Base): pass
