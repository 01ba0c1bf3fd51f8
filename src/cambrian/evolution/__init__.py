"""The loop: selection, proposing, admission, scheduling, budget."""
