"""Hostile learners, shipped as data, to try a sandbox with.

`PROGRAMS` is their folder. None of them is ever imported on this side: each is the `learner.py` of
an agent that runs in a sandbox. A header says which verdicts are right (`EXPECT`, or `EXPECT
BACKEND` where one has its own) and which layer should stop it (`LAYER`).
"""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
