# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 64 limits_of_others
# EXPECT: scored
# EXPECT gvisor: scored|crash
# INSIDE gvisor: its process 1 can be limited by a job
# LAYER:  seccomp: prlimit64, sched_setaffinity, setpriority of itself only (the zygote has the same user)
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import resource
for what in (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_DATA):
    try: resource.prlimit(1, what, (1, 1)); say("BREACH limited process 1", what)
    except OSError as e: say("BLOCKED", e)
for try_it in (lambda: os.sched_setaffinity(1, {0}), lambda: os.setpriority(os.PRIO_PROCESS, 1, 19), lambda: os.setpriority(os.PRIO_USER, 0, 19)):
    try: try_it(); say("BREACH slowed process 1")
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
