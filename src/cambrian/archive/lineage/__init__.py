"""The git repository that shows the archive's tree to people and tools."""
