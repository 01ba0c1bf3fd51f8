"""What was before, as it was: for benchmarks to be held against."""
