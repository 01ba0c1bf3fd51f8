# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 112 answers_from_children
# EXPECT: protocol|crash|timeout|scored|exception
# LAYER:  one job is one conversation, whoever of the learner holds it
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import torch
class Learner(Base):
    def predict(self, x, task=None):
        scores = super().predict(x, task)
        if os.fork() == 0: return torch.zeros_like(scores)
        return scores
