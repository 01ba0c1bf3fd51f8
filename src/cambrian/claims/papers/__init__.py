"""One file a paper, named after it; each has a `CLAIM`."""
