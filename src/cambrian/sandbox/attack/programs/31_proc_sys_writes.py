# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 31 proc_sys_writes
# EXPECT: scored
# INSIDE gvisor: a process may lower its own oom_score_adj in gVisor's kernel
# LAYER:  ro /proc/sys, /sys; no CAP_SYS_ADMIN; masked paths
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

for p, v in (("/proc/sys/kernel/core_pattern", "|/tmp/x"), ("/proc/sys/vm/overcommit_memory", "1"), ("/proc/sysrq-trigger", "h"), ("/sys/kernel/uevent_helper", "/x"), ("/proc/self/oom_score_adj", "-1000"), ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "99999999999"), ("/sys/fs/cgroup/pids/pids.max", "max"), ("/proc/1/oom_score_adj", "-1000")):
    try: fd = os.open(p, os.O_WRONLY); os.write(fd, v.encode()); say("BREACH wrote", p)   # os.write: buffered writes hide EACCES
    except OSError as e: say("BLOCKED", p, e)
class Learner(Base): pass
