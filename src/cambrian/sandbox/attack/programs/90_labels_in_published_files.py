# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 90 labels_in_published_files
# EXPECT: scored
# LAYER:  only what has been revealed is in a file: a probe's file holds inputs and no label
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import numpy as np, torch
class Learner(Base):
    def predict(self, x, task=None):
        for name in os.listdir("/session/data"):
            raw = open("/session/data/" + name, "rb").read()
            values = np.frombuffer(raw[: len(raw) // 8 * 8], np.int64)
            if name.endswith(".part"): say("BREACH half a file")
            if name == "probe" and ((values >= 0) & (values < self.spec.outputs)).mean() > 0.2: say("BREACH labels", name)
            if name == "probe" and len(raw) != 80 * 6 * 4: say("BREACH more than inputs", len(raw))
            for at in range(0, len(values) - len(x)):
                found = values[at : at + len(x)]
                if name != "train" and set(found.tolist()) <= set(range(self.spec.outputs)): return torch.nn.functional.one_hot(torch.tensor(found), self.spec.outputs).float()
        return super().predict(x, task)
