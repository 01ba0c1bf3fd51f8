"""Hostile learners, shipped as data, and what tries a sandbox with them.

`PROGRAMS` is their folder. None of them is ever imported on this side: each is the `learner.py` of
an agent that runs in a sandbox. Headers say what is right and how a program is to be run
(`cambrian.sandbox.attack.program`); `cambrian.sandbox.attack.trial` runs one and judges it.
"""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
