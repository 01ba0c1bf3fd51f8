# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 63 import_hijack
# EXPECT: scored
# LAYER:  neither /tmp nor the working directory is on the path of the next job; read-only packages
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for n in ("numpy.py", "json.py", "sitecustomize.py", "torch.py", "honest.py", "learner.py"):
    for d in ("/tmp/", "", "/session/", "/session/agent/", "/opt/cambrian/", "/opt/site/", "/opt/cambrian/cambrian/sandbox/runner/"):
        try:
            open(d + n, "w").write("raise SystemExit('hijacked')")
            if d.startswith(("/session", "/opt")): say("BREACH wrote", d + n)
        except OSError: pass
import cambrian.sandbox.runner.frames as frames
frames.FrameSocket.receive, frames.MAGIC = frames.FrameSocket.receive, frames.MAGIC
sys.modules["sitecustomize"] = frames
class Learner(Base): pass
