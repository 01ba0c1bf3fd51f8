# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 47 forged_protocol_frames
# EXPECT: protocol|crash
# LAYER:  type, shape, sequence are known before the answer; nothing may come before the question
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket, struct, json
H_ = struct.Struct("<4sBBBBIIQ4I"); j = json.dumps({"flops": 0, "state_bytes": 0, "score": 1.0}).encode()
def forge(kinds):
    for fd in range(3, 20):
        try: s = socket.socket(fileno=os.dup(fd))
        except OSError: continue
        for kind in kinds:
            try: s.sendall(H_.pack(b"CBR1", kind, 0, 0, 0, 1, len(j), 0, 0, 0, 0, 0) + j)
            except OSError: pass
        s.detach()
forge((64, 66, 71, 65, 70))
class Learner(Base): pass
