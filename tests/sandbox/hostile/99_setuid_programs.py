# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 99 setuid_programs
# EXPECT: scored
# LAYER:  no new privileges: a program with the bit set gains nothing
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import stat, subprocess
found = []
for r, d, f in os.walk("/usr"):
    for n in f:
        path = os.path.join(r, n)
        try:
            if os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID): found.append(path)
        except OSError: pass
say(found)
for path in found:
    try: done = subprocess.run([path, "--version"], capture_output=True, timeout=2, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired): continue
probe = "import os, sys; sys.exit(os.geteuid() == 0 or os.getegid() == 0)"
if subprocess.run([sys.executable, "-c", probe]).returncode: say("BREACH root")
class Learner(Base): pass
