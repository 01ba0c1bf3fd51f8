# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 127 sockets_in_flight
# EXPECT: scored
# LAYER:  what is under way in a socket goes with its processes
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

# Sockets that carry one another in their queues, one of them bound: nobody holds them any more.
import array, socket
if os.path.exists("/tmp/kept"): say("BREACH file of the last job")
for name in ("\0cycle", "\0flight"):
    s = socket.socket(socket.AF_UNIX)
    try: s.bind(name)
    except OSError: say("BREACH socket of the last job", name); continue
    s.listen()
    a, b = socket.socketpair()
    kept = os.open("/tmp/kept", os.O_RDWR | os.O_CREAT)
    for fd in (s.fileno(), a.fileno(), b.fileno(), kept):
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        b.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    for x in (s, a, b): os.close(x.detach())
    os.close(kept)
class Learner(Base): pass
