# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 21 gpu_hog
# EXPECT: scored|crash|exception
# LAYER:  no GPU device passed (default); with one: one job per GPU/MIG slice, cgroup cannot limit VRAM
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import torch
if torch.cuda.is_available():
    x = []
    try:
        while True: x.append(torch.empty(1 << 30, device="cuda", dtype=torch.uint8))
    except RuntimeError: say("BREACH GPU filled with", len(x), "GB")
else: say("BLOCKED no cuda device")
class Learner(Base): pass
