"""Networks, and what changes their shape."""
