# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 19 segfault_core
# EXPECT: crash|exception
# LAYER:  crash contained in the learner process; --ulimit core=0: no core file
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes; ctypes.string_at(0)
class Learner(Base): pass
