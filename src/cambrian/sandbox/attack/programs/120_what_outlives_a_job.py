# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 120 what_outlives_a_job
# EXPECT: scored
# INSIDE gvisor: its kernel counts for itself; hence a fresh container for each job
# LAYER:  counters of process 1 are covered; no call sets a time; sockets have no telling names
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket
for name in ("stat", "sched", "schedstat", "task/1/stat", "task/1/sched", "task/1/schedstat"):
    try:
        if open("/proc/1/" + name).read(): say("BREACH process 1 tells what earlier jobs took", name)
    except OSError as e: say("BLOCKED", e)
for place in ("/tmp", "/dev/null", "/dev/zero", "/dev/full", "/session/data"):
    for when in (None, (2**33, 2**33)):
        try: os.utime(place, when); say("BREACH set a time", place)
        except OSError as e: say("BLOCKED", e)
for fd in range(3, 20):
    try: name = str(socket.socket(fileno=os.dup(fd)).getpeername())
    except OSError: continue
    if "job" in name: say("BREACH the socket counts jobs", name)
class Learner(Base): pass
