# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 41 labels_on_disk
# EXPECT: scored
# LAYER:  only what has been revealed enters; data sets of other packages are not in the image
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for r, d, f in os.walk("/"):
    if r.startswith(("/proc", "/sys", "/usr", "/opt/site/torch")): d[:] = []; continue
    if os.path.basename(r) in ("sklearn", "mlxtend", "evaluators", "archive"): say("BREACH", r)
    for n in f:
        if n.endswith((".npz", ".csv", ".parquet", ".gz")) or "label" in n or "canary" in n:
            say("BREACH" if "canary" in n or "mnist" in n or "digits" in n else "found", r, n)
for p in os.listdir("/session/data"): say("BREACH before its time", p)
class Learner(Base): pass
