"""The long-running process: lock, recovery, health."""
