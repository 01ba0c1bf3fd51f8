# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 76 imitate_the_zygote
# EXPECT: scored
# INSIDE gvisor: a job can open the pipe of its own output, which process 1 reads
# LAYER:  listening sockets are gone before learner code runs; control closed in the child
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, stat
for r, d, f in os.walk("/session"):
    for n in f:
        p = os.path.join(r, n)
        if stat.S_ISSOCK(os.lstat(p).st_mode):
            try: socket.socket(socket.AF_UNIX).connect(p); say("BREACH connected", p)
            except OSError as e: say("BLOCKED", p, e)
for n in (3, 4, 5, 6):
    try: os.close(os.open(f"/proc/1/fd/{n}", os.O_RDWR)); say("BREACH opened a descriptor of process 1")
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
