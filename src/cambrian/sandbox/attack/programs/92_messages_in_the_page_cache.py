# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 92 messages_in_the_page_cache
# EXPECT: scored
# INSIDE gvisor: a page cache of its own; hence a fresh container for each job
# LAYER:  seccomp: what is in the page cache can be neither asked nor thrown out
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import mmap
fd = os.open("/usr/bin/env" if os.path.exists("/usr/bin/env") else sys.executable, os.O_RDONLY)
try: os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT); say("BREACH asked the page cache")
except OSError as e: say("BLOCKED", e)
try: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED); say("BREACH threw a page out")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
