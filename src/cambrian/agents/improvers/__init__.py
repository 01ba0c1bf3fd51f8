"""Improvers: how an agent rewrites itself. `default.py` is what an agent has that brings none."""
