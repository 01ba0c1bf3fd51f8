# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 91 state_in_the_scratch_folder
# EXPECT: scored
# INSIDE gvisor: attributes can be set; hence a fresh container for each job
# LAYER:  the folder itself is put back: mode and times; attributes cannot be set (seccomp)
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import stat
s = os.stat("/tmp")
if stat.S_IMODE(s.st_mode) & 0o777 not in (0o700, 0o777): say("BREACH mode of the last job", oct(s.st_mode))
if s.st_atime_ns > 4_000_000_000_000_000_000: say("BREACH time of the last job", s.st_atime_ns)
try: os.setxattr("/tmp", "user.mark", b"1"); say("BREACH attribute")
except OSError as e: say("BLOCKED", e)
for mark in (lambda: os.chmod("/tmp", 0o711), lambda: os.utime("/tmp", ns=(4_102_444_800_000_000_000, 4_102_444_800_000_000_000))):
    try: mark()
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
