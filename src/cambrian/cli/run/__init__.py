"""`cambrian run`, `daemon` and what steers a run."""
