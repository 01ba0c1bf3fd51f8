"""From a variant's results to a decision: stages, gates, descriptors, approval."""
