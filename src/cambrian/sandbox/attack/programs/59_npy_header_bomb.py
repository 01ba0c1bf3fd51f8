# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 59 npy_header_bomb
# EXPECT: scored
# LAYER:  no file is read on the host; it goes when the job ends
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

hd = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"; hd += b" " * (117 - len(hd)) + b"\n"
try: open("preds.npy", "wb").write(b"\x93NUMPY\x01\x00" + len(hd).to_bytes(2, "little") + hd); say("made header bomb")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
