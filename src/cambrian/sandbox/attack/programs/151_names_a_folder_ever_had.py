# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 151 names_a_folder_ever_had
# EXPECT: scored
# TIMES: 3
# LAYER:  tmpfs of Linux 6.6 and later numbers the names that a folder ever had: a job that used up many of them is the last of its session
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
def highest(folder):
    """The largest offset in a listing: where the name that was made last has its place."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    raw = ctypes.create_string_buffer(65536)
    size, at, found = libc.getdents64(fd, raw, 65536), 0, [0]
    while at < size:
        found.append(struct.unpack_from("q", raw.raw, at + 8)[0])
        at += struct.unpack_from("H", raw.raw, at + 16)[0]
    os.close(fd)
    return max(place for place in found if place < (1 << 31) - 1)
began = highest("/tmp")
if began > 3000: say("BREACH a number that another job chose", began)
open("/tmp/one", "w").close()
for _ in range(6000):  # no file is made, no inode used up: names only
    os.link("/tmp/one", "/tmp/two"); os.unlink("/tmp/two")
say("from", began, "to", highest("/tmp"))
class Learner(Base): pass
