# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 55 out_symlink
# EXPECT: scored
# LAYER:  there is no file channel; the scratch place is emptied without following links
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for a, b in (("/etc/passwd", "a.npy"), ("@CANARY@", "result.json"), ("/", "dir"), ("../../../../etc/shadow", "rel"), ("/session", "/tmp/session"), ("loop", "loop")):
    try: os.symlink(a, b); say("made", b)
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
