"""Questions that people ask of an archive, answered from what it holds."""
