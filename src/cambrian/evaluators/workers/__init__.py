"""Evaluation worker processes: the server, the wire, a session of its own, turns."""
