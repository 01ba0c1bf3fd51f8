"""Hostile learners, shipped to try a sandbox with.

The programs are data (`programs/`): none is ever imported on this side, each is the `learner.py` of
an agent that runs in a sandbox. `program` reads their headers, `trial` runs one against a backend
and says what did not hold.
"""
