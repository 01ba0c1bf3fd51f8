# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 155 quotas_of_a_user
# EXPECT: scored
# PAIR: yes
# LAYER:  what the kernel bounds by user (signals that wait, pipes, watches) is bounded by session: each has a user id of its own
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, resource, signal, time
libc = ctypes.CDLL(None, use_errno=True)
allowed = resource.getrlimit(resource.RLIMIT_SIGPENDING)[0]
class Learner(Base):
    """Each has as many signals waiting as it may, for a while; one that may have fewer than it was told knows of the other."""
    def __init__(self, *a, **k):
        super().__init__(*a, **k)
        signal.pthread_sigmask(signal.SIG_BLOCK, [40])
        info = ctypes.create_string_buffer(128)
        ctypes.c_int.from_buffer(info, 8).value = -1  # SI_QUEUE
        sent = 0
        while sent <= allowed and libc.syscall(129, os.getpid(), 40, info) == 0: sent += 1
        say("queued", sent, "of", allowed)
        if sent < allowed - 16: say("BREACH another session uses up this user's signals")
        time.sleep(1.5)
