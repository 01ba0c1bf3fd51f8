# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 152 counters_of_the_machine
# EXPECT: scored
# INSIDE gvisor: its own kernel answers, of itself
# LAYER:  what the kernel counts for the whole machine is not told: no cookies of sockets, no sysinfo, no files of /proc but a process's own; a job in another sandbox could move it
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
for option in (55, 56, 57, 71):  # SO_MEMINFO, SO_INCOMING_NAPI_ID, SO_COOKIE, SO_NETNS_COOKIE
    with socket.socket(socket.AF_UNIX) as s:
        try: say("BREACH socket option", option, s.getsockopt(socket.SOL_SOCKET, option, 64).hex())
        except OSError as e: say("BLOCKED", option, e)
if libc.sysinfo(ctypes.create_string_buffer(256)) == 0: say("BREACH sysinfo")
for name in ("loadavg", "stat", "meminfo", "vmstat", "uptime", "softirqs", "schedstat", "diskstats", "zoneinfo", "buddyinfo",
             "cgroups", "pressure/cpu", "sys/fs/file-nr", "sys/fs/dentry-state", "sys/kernel/pty/nr", "sys/kernel/random/entropy_avail"):
    try: text = open(f"/proc/{name}").read()
    except OSError: continue
    if text: say("BREACH /proc/" + name, text[:40])
class Learner(Base): pass
