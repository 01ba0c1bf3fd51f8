# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 39 labels_by_frames
# EXPECT: scored
# LAYER:  labels are not in the process (split design). In-process evaluators fall to this
# NOTE:   must score what the honest learner scores, not 1.0
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

class Learner(Base):
    def predict(self, x, task=None):
        f = sys._getframe(1)
        while f:
            for k in ("y", "y_test", "labels", "targets", "yt"):
                v = f.f_locals.get(k)
                if hasattr(v, "shape") and len(v.shape) == 1 and len(v) == len(x): return v.copy()
            f = f.f_back
        return super().predict(x)
