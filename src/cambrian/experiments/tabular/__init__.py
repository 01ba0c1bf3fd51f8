"""A table of learning algorithms that were really measured, for searches that are simulated."""
