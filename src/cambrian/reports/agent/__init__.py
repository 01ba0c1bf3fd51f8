"""What is asked of one agent: its code, its decision, what was recorded of it."""
