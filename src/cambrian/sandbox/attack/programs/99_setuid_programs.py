# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 99 setuid_programs
# EXPECT: scored
# LAYER:  no new privileges: a program with the bit set gains nothing
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import stat, subprocess, time
found = []
for r in ("/usr/bin", "/usr/sbin", "/bin", "/usr/lib/openssh"):
    for n in os.listdir(r) if os.path.isdir(r) else ():
        path = os.path.join(r, n)
        try:
            if os.lstat(path).st_mode & stat.S_ISUID: found.append(path)
        except OSError: pass
say(found)
for path in found[:4]:
    try: child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as e: say("BLOCKED", e); continue
    time.sleep(0.02)
    try: ids = [l for l in open(f"/proc/{child.pid}/status") if l.startswith(("Uid", "CapEff"))]
    except OSError: ids = []
    if ids and ("0" in ids[0].split()[1:] or int(ids[1].split()[1], 16)): say("BREACH root", path, ids)
    child.kill(); child.wait()
class Learner(Base): pass
