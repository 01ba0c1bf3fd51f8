"""Losses, update rules, optimisers, rates, projections and learning to learn."""
