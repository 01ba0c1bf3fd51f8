# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 43 patch_metrics
# EXPECT: scored
# LAYER:  metric is computed in the evaluator process from raw predictions
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import numpy as np
np.mean = lambda *a, **k: 1.0
np.equal = lambda *a, **k: np.ones(len(a[0]), bool)
try:
    import torch; torch.Tensor.eq = lambda s, o: torch.ones_like(s, dtype=torch.bool); torch.eq = torch.Tensor.eq; torch.Tensor.mean = lambda s, *a, **k: torch.tensor(1.0)
    import sklearn.metrics; sklearn.metrics.accuracy_score = lambda *a, **k: 1.0
except ImportError: pass
class Learner(Base): pass
