"""Heads beside the network, what combines them, and what labels mean."""
