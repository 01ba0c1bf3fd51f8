"""Strategies of selection, one a file."""
