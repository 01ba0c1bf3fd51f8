# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 158 pages_that_others_map
# EXPECT: scored
# INSIDE gvisor: its own kernel has no other session's mappings to tell of
# LAYER:  how many processes map a page of a file is not told (smaps, numa_maps, bit 56 of pagemap): two sessions map the same libraries; by Landlock a job opens little of /proc
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import threading
places = ["self", "thread-self", str(os.getpid()), f"self/task/{threading.get_native_id()}", f"{os.getppid()}"]
for place in places:
    for name in ("smaps", "smaps_rollup", "numa_maps", "pagemap"):
        try: seen = open(f"/proc/{place}/{name}", "rb").read(8)
        except OSError as e: say("BLOCKED", place, name, e); continue
        if seen: say("BREACH pages of", place, name, seen)
child = os.fork()
if child == 0:  # one that was started later may no more
    try: open("/proc/self/smaps").read(); say("BREACH pages of a child")
    except OSError as e: say("BLOCKED", e)
    os._exit(0)
os.waitpid(child, 0)
open("/proc/self/status").read(); open("/proc/cpuinfo").read(); open("/proc/self/maps").read()  # its own may be read
class Learner(Base): pass
