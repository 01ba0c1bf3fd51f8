"""`cambrian image`: the sandbox image."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cambrian.cli.context import common, examples, json_option
from cambrian.cli.render.output import note, show_fields, show_json
from cambrian.errors import NotFound

if TYPE_CHECKING:
    from cambrian.sandbox.image.image import ImageInfo


@click.group()
def image() -> None:
    """Build or show the Docker image that agents run in."""


@image.command(epilog=examples("cambrian image build"))
@json_option
@common
def build(as_json: bool) -> None:
    """Build the sandbox image, or find it unchanged (1 to 3 minutes, then seconds)."""
    from cambrian.sandbox.image.image import build as make

    _show(make(note), as_json)


@image.command(epilog=examples("cambrian image show --json"))
@json_option
@common
def show(as_json: bool) -> None:
    """Show the sandbox image; exit code 3 if it is not built."""
    from cambrian.sandbox.image.image import show as look

    found = look()
    if found is None:
        raise NotFound("the sandbox image is not built: `cambrian image build` makes it")
    _show(found, as_json)


def _show(info: ImageInfo, as_json: bool) -> None:
    if as_json:
        show_json(asdict(info))
    else:
        show_fields(asdict(info))
