# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 123 deep_descriptions
# EXPECT: protocol
# LAYER:  descriptions are shallow: nobody on the host recurses over them
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import struct
class Learner(Base):
    def predict(self, x, task=None):
        for depth in (900,):
            body = b'{"kind":' + b"[" * depth + b"]" * depth + b"}"
            for fd in range(3, 20):
                try: os.write(fd, struct.pack("<4sBBBBIIQ4I", b"CBR1", 67, 0, 0, 0, 3, len(body), 0, 0, 0, 0, 0) + body)
                except OSError: continue
        return super().predict(x, task)
