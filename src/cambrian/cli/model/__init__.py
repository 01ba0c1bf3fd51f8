"""`cambrian model`: the foundation models that may write or choose."""
