"""Mechanisms: one file each, copied into the agents that adopt them and never imported here."""
