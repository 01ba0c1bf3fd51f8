# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 93 files_of_process_1
# EXPECT: scored
# INSIDE gvisor: process 1 shows its maps, and not its memory
# LAYER:  process 1 is not dumpable: its files in /proc belong to root
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for name, text in (("oom_score_adj", "0"), ("timerslack_ns", "7"), ("comm", "mark"), ("coredump_filter", "0"), ("clear_refs", "1"), ("autogroup", "5"), ("setgroups", "deny"), ("uid_map", "0 0 1"), ("loginuid", "5"), ("attr/exec", "x"), ("task/1/comm", "mark"), ("mem", "x")):
    try: fd = os.open("/proc/1/" + name, os.O_WRONLY); os.write(fd, text.encode()); say("BREACH wrote", name)
    except OSError as e: say("BLOCKED", name, e)
for name in ("maps", "mem", "pagemap", "stack", "syscall", "io", "auxv", "fdinfo/3", "map_files"):
    try:
        d = os.listdir("/proc/1/" + name) if name == "map_files" else open("/proc/1/" + name, "rb").read(16)
        say("BREACH read" if d and name in ("mem", "pagemap", "map_files", "maps") else "seen", name)
    except OSError as e: say("BLOCKED", name, e)
class Learner(Base): pass
