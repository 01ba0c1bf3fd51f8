# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 27 read_host_files
# EXPECT: scored
# LAYER:  mount namespace: host rootfs is not there
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for p in ("@CANARY@", "/proc/1/root@CANARY@", "/proc/1/cwd/..@CANARY@", "/host/etc/shadow", "/etc/shadow", "/opt/wheels"):
    try:
        d = open(p).read(); say("BREACH" if "HOST-CANARY" in d else "WEAK own image file", p, d[:20])
    except OSError as e: say("BLOCKED", p, e)
class Learner(Base): pass
