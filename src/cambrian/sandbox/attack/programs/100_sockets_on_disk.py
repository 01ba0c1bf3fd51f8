# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 100 sockets_on_disk
# EXPECT: scored
# LAYER:  nothing of the host's is mounted: no engine, no bus, no agent
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, stat
for r, d, f in os.walk("/"):
    if r.startswith(("/proc", "/sys", "/usr", "/opt")): d[:] = []; continue
    for n in f:
        path = os.path.join(r, n)
        try: mode = os.lstat(path).st_mode
        except OSError: continue
        if stat.S_ISSOCK(mode):
            try: socket.socket(socket.AF_UNIX).connect(path); say("BREACH connected", path)
            except OSError as e: say("BLOCKED", path, e)
for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket"):
    try: socket.socket(socket.AF_UNIX).connect(path); say("BREACH connected", path)
    except OSError as e: say("BLOCKED", path, e)
class Learner(Base): pass
