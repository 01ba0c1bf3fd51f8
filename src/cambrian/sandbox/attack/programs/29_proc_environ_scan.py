# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 29 proc_environ_scan
# EXPECT: scored
# LAYER:  PID namespace + clean environment; secrets of the evaluator are in neither
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for p in os.listdir("/proc"):
    if p.isdigit():
        for f in ("environ", "cmdline"):
            try: d = open(f"/proc/{p}/{f}", "rb").read()
            except OSError: continue
            if b"SECRET_CANARY" in d or b"pytest" in d: say("BREACH", p, f)
say("procs visible", sum(p.isdigit() for p in os.listdir("/proc")), "env", sorted(os.environ))
class Learner(Base): pass
