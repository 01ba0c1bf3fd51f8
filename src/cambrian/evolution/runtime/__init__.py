"""A run while a process works on it: scheduling, workers, commits, outages, pauses."""
