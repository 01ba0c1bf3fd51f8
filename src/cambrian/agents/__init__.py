"""What evolves: source trees, seed agents, mechanisms, improvers (imports nothing by itself)."""
