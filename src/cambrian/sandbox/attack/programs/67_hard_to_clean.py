# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 67 hard_to_clean
# EXPECT: scored
# LAYER:  a tree that cannot be removed spends the session, and breaks nothing
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

os.mkdir("/tmp/deep"); os.chdir("/tmp/deep")
try:
    for _ in range(3000): os.mkdir("d" * 200); os.chdir("d" * 200)
except OSError as e: say("depth", e)
os.chdir("/tmp/job"); os.mkdir("locked"); open("locked/file", "w").close(); os.chmod("locked", 0)
os.chmod("/tmp/deep", 0)
class Learner(Base): pass
