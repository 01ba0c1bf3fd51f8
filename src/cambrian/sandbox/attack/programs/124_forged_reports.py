# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 124 forged_reports
# EXPECT: protocol
# LAYER:  control frames are none of a job's
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import struct, json
class Learner(Base):
    def task_boundary(self):
        body = json.dumps(dict(exit=0, cpu_s=0.0, peak_bytes=0, output="", output_bytes=0, ended="by itself", clean=True)).encode()
        for fd in range(3, 20):
            for kind in (71, 70):
                try: os.write(fd, struct.pack("<4sBBBBIIQ4I", b"CBR1", kind, 0, 0, 0, 4, len(body), 0, 0, 0, 0, 0) + body)
                except OSError: continue
