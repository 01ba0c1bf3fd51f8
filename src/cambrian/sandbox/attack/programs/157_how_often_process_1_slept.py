# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 157 how_often_process_1_slept
# EXPECT: scored
# INSIDE gvisor: each job has a sandbox of its own there
# LAYER:  files of process 1 in which the kernel adds up what its jobs made it do are covered
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for name in ("status", "statm", "stat", "sched", "schedstat", "oom_score", "io", "smaps_rollup", "wchan", "syscall", "timerslack_ns"):
    for place in (f"/proc/1/{name}", f"/proc/1/task/1/{name}"):
        try: text = open(place).read()
        except OSError: continue
        if text and text != "0": say("BREACH", place, text[:60])
class Learner(Base): pass
