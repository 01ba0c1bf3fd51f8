"""Where untrusted code runs: sessions, backends, the channel, the runner inside."""
