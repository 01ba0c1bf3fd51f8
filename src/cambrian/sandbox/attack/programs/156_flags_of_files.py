# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 156 flags_of_files
# EXPECT: scored
# INSIDE gvisor: its own kernel answers
# LAYER:  no flag of a file or folder is set by ioctl: one on the scratch place itself would outlive the job
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import fcntl, struct
fd = os.open("/tmp", os.O_RDONLY)
for name, request in (("FS_IOC_GETFLAGS", 0x80086601), ("FS_IOC_SETFLAGS", 0x40086602), ("FS_IOC_FSGETXATTR", 0x801C581F), ("FIOASYNC", 0x5452)):
    try: fcntl.ioctl(fd, request, bytearray(struct.pack("q", 0x40) + bytes(24))); say("BREACH", name)
    except OSError as e: say("BLOCKED", name, e)
class Learner(Base): pass
