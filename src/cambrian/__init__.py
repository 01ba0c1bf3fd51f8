"""Cambrian: an open-ended archive of self-improving learning algorithms."""

__version__ = "0.1.0"
