"""From a table to a learner: a search on it, and an honest comparison with usual choices."""
