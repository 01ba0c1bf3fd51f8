"""Agents that leave: a package that pip installs, the learner and nothing of ours around it."""
