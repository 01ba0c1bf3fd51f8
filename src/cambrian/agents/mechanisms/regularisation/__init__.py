"""What steps must leave alone."""
