"""Every help page as one document: `docs/cli.md`, which a test compares with the code."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cambrian.cli.main import cli

WIDTH = 88

HEAD = """# The command line

Made by `scripts/cli-docs` from the commands themselves; a test holds the two together.
"""


def pages() -> str:
    """The document, in Markdown."""
    parts = [HEAD]
    for path, command, context in _commands("cambrian", cli, None):
        parts.append(f"## {path}\n\n```text\n{_help(command, context)}\n```\n")
    return "\n".join(parts)


def _commands(
    path: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    # The command's own settings (-h among them), as when it is called; but one width everywhere.
    settings = {**command.context_settings, "terminal_width": WIDTH, "color": False}
    context = click.Context(command, info_name=path.split()[-1], parent=parent, **settings)
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _commands(f"{path} {name}", child, context)


def _help(command: click.Command, context: click.Context) -> str:
    return "\n".join(row.rstrip() for row in command.get_help(context).splitlines())
