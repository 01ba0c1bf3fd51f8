"""What a learner may know of a stream; in a package, a copy of it."""

from __future__ import annotations

from cambrian.agents.spec import TaskSpec

__all__ = ["TaskSpec"]
