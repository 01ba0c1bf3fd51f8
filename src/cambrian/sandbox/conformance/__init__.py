"""What every backend has to keep, shown on this machine."""
