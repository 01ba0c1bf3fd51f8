"""Agents that leave, as a package that pip installs, and learners of users that join."""
