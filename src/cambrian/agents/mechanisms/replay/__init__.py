"""Memories of samples that are rehearsed."""
