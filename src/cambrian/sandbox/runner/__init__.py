"""What runs inside the sandbox: standard library, numpy and torch only."""
