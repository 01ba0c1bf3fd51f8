"""The places that parts fill in a composed learner. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cambrian.agents.spec import KINDS

SKELETONS = ("stream", "meta", "control")
FAMILIES = ("architecture", "control", "optimisation", "regularisation", "replay", "representation")
"""The five of Wang et al. 2024 (arXiv:2302.00487), and control, which their survey leaves out."""


@dataclass(frozen=True)
class Role:
    """A place in a learner.

    Attributes:
        says: what a part of this role decides.
        exclusive: whether a learner has at most one such part.
        required: whether it needs one.
    """

    says: str
    exclusive: bool = False
    required: bool = False


ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "network": Role("what is trained, and how inputs run through it", True, True),
        "loss": Role("what the network is trained on", True, True),
        "update": Role("how a loss becomes gradients", True, True),
        "optimiser": Role("how gradients become steps", True, True),
        "memory": Role("which samples are kept and rehearsed", True),
        "regulariser": Role("what the steps must leave alone"),
        "rate": Role("how the learning rate moves", True),
        "average": Role("which weights answer", True),
        "head": Role("a second way to answer, beside the network"),
        "ensemble": Role("how the heads' answers become one", True),
        "labels": Role("what names mean, where they change", True),
        "detector": Role("when the stream has changed"),
        "meta": Role("how to learn from small tasks, and where they start from", True),
        "control": Role("how to act, and what rewards teach", True),
        "acquisition": Role("which data is asked for", True),
    }
)


def exclusive(role: object) -> bool:
    """Whether two parts of this role cannot be in one learner."""
    return isinstance(role, str) and role in ROLES and ROLES[role].exclusive


def required(role: object) -> bool:
    """Whether a learner needs a part of this role."""
    return isinstance(role, str) and role in ROLES and ROLES[role].required


__all__ = ["FAMILIES", "KINDS", "ROLES", "SKELETONS", "Role", "exclusive", "required"]
