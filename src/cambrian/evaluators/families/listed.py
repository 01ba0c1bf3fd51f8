"""All families there are."""

from __future__ import annotations

from cambrian.evaluators.families.base import Family
from cambrian.evaluators.families.continual import CONTINUAL
from cambrian.evaluators.families.drifting import DRIFTING
from cambrian.evaluators.families.restless import RESTLESS
from cambrian.evaluators.families.rules import RULES
from cambrian.evaluators.families.shots import SHOTS

FAMILIES: tuple[Family, ...] = (*CONTINUAL, *DRIFTING, *RULES, *RESTLESS, *SHOTS)
