"""One thread: learners are tiny, and the cores are shared with other tests."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
