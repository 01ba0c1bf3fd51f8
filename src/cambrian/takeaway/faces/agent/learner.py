"""What stands in a package where the agent's learner will be: the contract, without a learner."""

from __future__ import annotations

from cambrian.agents.contract import Learner

__all__ = ["Learner"]
