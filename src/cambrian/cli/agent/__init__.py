"""`cambrian agent`: list, show, why, code, replay."""
