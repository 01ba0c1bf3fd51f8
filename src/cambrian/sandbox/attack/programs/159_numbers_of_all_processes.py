# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 159 numbers_of_all_processes
# EXPECT: scored
# INSIDE gvisor: its own kernel numbers its own processes
# LAYER:  a descriptor of a process has an inode from a counter of the whole machine (Linux 6.9 and later): a job gets none, not by pidfd_open, clone or a socket
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
for pid in (os.getpid(), os.getppid()):
    try: say("BREACH descriptor of a process", os.fstat(os.pidfd_open(pid)).st_ino)
    except OSError as e: say("BLOCKED", e)
held = ctypes.c_int(-1)
CLONE_PIDFD, SIGCHLD = 0x1000, 17
child = libc.syscall(56 if os.uname().machine == "x86_64" else 220, CLONE_PIDFD | SIGCHLD, None, ctypes.byref(held), None, None)
if child == 0: os._exit(0)
if child > 0: os.waitpid(child, 0); say("BREACH descriptor of a child", held.value)
one, other = socket.socketpair()
for option in (76, 77):  # SO_PASSPIDFD, SO_PEERPIDFD
    for act in (lambda: one.getsockopt(socket.SOL_SOCKET, option, 4), lambda: one.setsockopt(socket.SOL_SOCKET, option, 1)):
        try: say("BREACH option", option, act())
        except OSError as e: say("BLOCKED", option, e)
class Learner(Base): pass
