"""Acting, and learning from rewards."""
