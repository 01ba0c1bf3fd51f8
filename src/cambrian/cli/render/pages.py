"""Every help page as one document: `docs/cli.md`, which a test compares with the code."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cambrian.cli.main import cli
from cambrian.cli.ops.config import file_options

WIDTH = 88

HEAD = """# The command line

Made by `tools/cli_docs.py` from the commands themselves; a test holds the two together.
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


SETTINGS_HEAD = """# Settings

Made by `tools/cli_docs.py` from the options themselves; a test holds the two together.

What a setting is comes from the first of these that there is: the flag of `cambrian run` or
`cambrian daemon`, the variable in the environment, `cambrian.toml`, the default.
`cambrian config show --origin` says which it was. The file is the one that `--config` or
`CAMBRIAN_CONFIG` names, else `cambrian.toml` in the current directory, else
`cambrian/cambrian.toml` in the user's configuration directory. Any key in it that is unknown
is an error. An example:

```toml
[run]
workers = 4
hours = 72
benchmarks = ["split-mnist", "digit-sums"]
approve = "champion"

[prices]            # dollars per million tokens: prompt, completion
"some-model" = [2.5, 10.0]

[models.near]       # where a model is and how it is asked: docs/models.md
base_url = "http://127.0.0.1:8080/v1"
temperature = 0.7
```

A daemon reads the file again on SIGHUP. What decides a run's course (seed, rewriter, model,
benchmarks, order, selection, device) stays as it was; limits, prices, sections of models, approve,
patience and workers are taken.

| `[run]` | environment | default | what it is |
|---|---|---|---|
"""


def settings_page() -> str:
    """`docs/settings.md`, in Markdown."""
    context = click.Context(cli, info_name="cambrian")
    rows = [_row(option) for option in file_options(context)]
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def _row(option: click.Option) -> str:
    given = option.envvar or ()
    names = [given] if isinstance(given, str) else list(given)
    default = "" if option.default in (None, "") or callable(option.default) else option.default
    name = str(option.name).replace("_", "-")
    text = str(option.help).replace("|", "\\|")
    variables = ", ".join(f"`{each}`" for each in names)
    shown = default if isinstance(default, (int, float, str)) else ""
    return f"| `{name}` | {variables} | {shown} | {text} |"
