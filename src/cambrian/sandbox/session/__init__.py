"""A sandbox in use: the session, the channel into it, limits and failures."""
