"""`cambrian bench`: list, show, check, recompute."""
