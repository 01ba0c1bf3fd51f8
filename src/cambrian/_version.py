"""The version; a leaf that anything may import, and what hatch reads it from."""

__version__ = "0.1.0"
