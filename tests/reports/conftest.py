"""Runs that ask an endpoint."""

from tests.evolution.models.conftest import connect

__all__ = ["connect"]
