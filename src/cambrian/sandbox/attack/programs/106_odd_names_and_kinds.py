# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 106 odd_names_and_kinds
# EXPECT: scored
# LAYER:  the scratch place is emptied whatever is in it, links never followed
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket
for name in (b"\xff\xfe", b"new\nline", b"-rf", b" ", b"\x1b[2J", "\u202e".encode(), b"a" * 255): open(b"/tmp/" + name, "w").close()
try: os.mkfifo("/tmp/fifo")
except OSError as e: say("BLOCKED", e)
socket.socket(socket.AF_UNIX).bind("/tmp/socket")
os.link("/tmp/-rf", "/tmp/hard"); os.symlink("/tmp", "/tmp/loop"); os.mkdir("/tmp/d", 0)
held = [os.open("/tmp/held", os.O_CREAT | os.O_RDWR)]; os.unlink("/tmp/held")
class Learner(Base): pass
