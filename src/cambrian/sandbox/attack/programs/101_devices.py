# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 101 devices
# EXPECT: scored
# INSIDE gvisor: device nodes of its own kernel
# LAYER:  a /dev of its own, a device control group, no capability to make nodes
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import stat
for path in ("/dev/mem", "/dev/kmem", "/dev/kvm", "/dev/fuse", "/dev/net/tun", "/dev/vda", "/dev/sda", "/dev/loop0", "/dev/kmsg", "/dev/userfaultfd", "/dev/vsock", "/dev/tty0", "/dev/console"):
    try: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)); say("BREACH" if path != "/dev/console" else "seen", path)
    except OSError as e: say("BLOCKED", path, e)
for kind in (stat.S_IFBLK, stat.S_IFCHR):
    try: os.mknod("/tmp/node", 0o666 | kind, os.makedev(1, 1)); say("BREACH made a device")
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
