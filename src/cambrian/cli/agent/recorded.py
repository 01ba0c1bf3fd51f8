"""What was recorded of an agent: the options of `replay` and `recompute` that pick from it
(`reports.recorded.Picked`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Command
from cambrian.cli.render.text import line

if TYPE_CHECKING:
    from collections.abc import Mapping


def picking(command: Command) -> Command:
    """ID, --benchmark, --stage and --seed, for a command that makes a `Picked` of them."""
    for each in (
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            metavar="N",
            help="Only this seed. [default: every one]",
        ),
        click.option(
            "--stage",
            type=click.Choice(["smoke", "screen", "full", "sealed"]),
            default="screen",
            show_default=True,
            help="Of which stage.",
        ),
        click.option(
            "--benchmark", metavar="NAME", help="Only this benchmark. [default: every one]"
        ),
        click.argument("agent_id", metavar="ID"),
    ):
        command = each(command)
    return command


def named(found: Mapping[str, Any]) -> str:
    """Which evaluation a finding is about."""
    return f"{line(found['benchmark'])}, {found['stage']} stage, seed {found['seed']}"
