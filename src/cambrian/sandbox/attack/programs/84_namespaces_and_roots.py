# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 84 namespaces_and_roots
# EXPECT: scored
# EXPECT gvisor: scored|exception|crash
# INSIDE gvisor: namespaces and roots of its own kernel
# LAYER:  seccomp: no namespaces, no mounts, no chroot
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes; l = ctypes.CDLL(None, use_errno=True)
for n, r in (("unshare user", l.unshare(0x10000000)), ("unshare net", l.unshare(0x40000000)), ("mount", l.mount(b"none", b"/tmp", b"tmpfs", 0, None)), ("chroot", l.chroot(b"/tmp")), ("sethostname", l.sethostname(b"x", 1)), ("clone new user", l.syscall(56, 0x10000011, 0, 0, 0, 0))):
    if r == 0 and n.startswith("clone"): os._exit(0)
    say("BREACH" if r >= 0 else "BLOCKED", n, ctypes.get_errno())
class Learner(Base): pass
