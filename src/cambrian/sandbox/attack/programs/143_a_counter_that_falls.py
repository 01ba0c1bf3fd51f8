# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 143 a_counter_that_falls
# EXPECT: protocol
# UNIT: mixed-tasks smoke
# LAYER:  what a learner has spent so far does not become less
import torch
import cambrian.sandbox.runner.meter as meter
from honest import Learner as Base
asked = []
def total(self): asked.append(1); return max(0, 1000 - len(asked))
meter.FlopMeter.total = property(total, lambda self, value: None)
class Learner(Base):
    def observe(self, x, y, task=None): super().observe(x.flatten(1), y, task)
    def predict(self, x, task=None): return super().predict(x.flatten(1), task)
