# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 140 a_number_of_400_digits
# EXPECT: protocol
# UNIT: permuted-plasticity smoke
# LAYER:  a number that a learner tells of itself is one that the host can go on with, whatever its size
import torch
import cambrian.sandbox.runner.job as job
from honest import Learner as Base
honestly = job.diagnose
def diagnose(learner, x, task=None):
    told, layers = honestly(learner, x, task)
    return {**told, "weight_magnitude": 10**400}, layers
job.diagnose = diagnose
class Learner(Base):
    def observe(self, x, y, task=None): super().observe(x.flatten(1), y, task)
    def predict(self, x, task=None): return torch.relu(super().predict(x.flatten(1), task))
