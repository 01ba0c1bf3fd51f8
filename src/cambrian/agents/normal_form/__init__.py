"""What code does, whatever its local names, dead branches and unread imports: for fingerprints."""
