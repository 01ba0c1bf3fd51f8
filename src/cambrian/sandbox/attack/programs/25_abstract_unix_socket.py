# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 25 abstract_unix_socket
# EXPECT: scored
# LAYER:  network namespace (abstract sockets are per netns)
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket
s = socket.socket(socket.AF_UNIX)
try: s.connect("\0@ABSTRACT@"); say("BREACH abstract socket of the host")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
