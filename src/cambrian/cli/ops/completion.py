"""`cambrian completion`: completion of commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cambrian.cli.context import common, examples
from cambrian.cli.render.output import say

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        'eval "$(cambrian completion bash)"   # in ~/.bashrc',
        "cambrian completion fish > ~/.config/fish/completions/cambrian.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
@common
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a SHELL complete commands, options and their values.

    Evaluate it when the shell starts, as in the examples. bash needs version 4.4 or newer.
    """
    found = get_completion_class(shell)
    if found is None:
        raise AssertionError(f"click has no completion for {shell}")
    say(found(context.find_root().command, {}, "cambrian", "_CAMBRIAN_COMPLETE").source())
