"""Does the archive pay: strategies and rules of admission, measured where the best is known."""
