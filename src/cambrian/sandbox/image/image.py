"""The sandbox image: built from the wheelhouse and the runner, named by what goes into it.

::

    cambrian-site:<key>      base image + torch and numpy            made in about a minute
    cambrian-sandbox:<key>   the above + runner and learner contract made in about two seconds

The keys are hashes of everything that goes in (cambrian.sandbox.image.recipe). The image's id (a
sha256 digest) is what a result records.

`python -m cambrian.sandbox.image.image build|show` prints it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from cambrian._version import __version__
from cambrian.errors import CambrianError, SandboxBroken, Unreachable, UsageError
from cambrian.sandbox.backends import engine
from cambrian.sandbox.image import wheelhouse
from cambrian.sandbox.image.recipe import LABEL, Recipe, read_recipe, split_last_stage
from cambrian.sandbox.image.wheelhouse import Progress

OFFICIAL_BASE = "python:3.11-slim-bookworm"
LOCAL_BASE = "cambrian-base:bookworm"
BASE_IMAGE = "CAMBRIAN_BASE_IMAGE"

# Seconds: for an engine or a registry to answer at all, and for one silent step of a build.
ANSWER_S = 15
ENGINE_S = 900


@dataclass(frozen=True)
class ImageInfo:
    """A built sandbox image.

    Attributes:
        tag: `cambrian-sandbox:<content key>`.
        id: the engine's digest of it, `sha256:...`; what a result records.
        base: name of the image it was built on.
        size: bytes, layers shared with other images included.
        torch: version of torch inside.
        created: when, ISO 8601, UTC.
    """

    tag: str
    id: str
    base: str
    size: int
    torch: str
    created: str


def show() -> ImageInfo | None:
    """The image for the sources and packages installed here; None when it is not built.

    Raises:
        Unreachable: no Docker engine answers.
        UsageError: torch or numpy is not installed on this side.
    """
    wheels = wheelhouse.find()
    with _engine() as client:
        base = _present_base(client)
        if wheels is None or base is None:
            return None
        return _info(client, read_recipe(wheels, base).tag)


def ensure(progress: Progress = lambda line: None) -> ImageInfo:
    """The image, built if it is not there (see `build` for what is raised)."""
    return show() or build(progress)


def build(progress: Progress) -> ImageInfo:
    """Build the image, or find it unchanged.

    Args:
        progress: is given a line of text now and then.

    Raises:
        Unreachable: no engine answers, or packages or a base image cannot be had.
        UsageError: the base image that was named does not exist.
        SandboxBroken: the engine could not build it.
    """
    with _engine() as client:
        base = _present_base(client) or _pull_base(client, progress)
        recipe = read_recipe(wheelhouse.make(progress), base)
        found = _info(client, recipe.tag)
        if found is not None:
            progress(f"{recipe.tag} is up to date")
            return found
        if not _has(client, recipe.site_tag):
            _build_site(client, recipe, progress)
        _build_sandbox(client, recipe, progress)
        made = _info(client, recipe.tag)
    if made is None:
        raise SandboxBroken(f"the engine built {recipe.tag}, and it is not there; build it again")
    return made


@contextlib.contextmanager
def _engine() -> Iterator[Any]:
    """A client of the engine, closed at the end; its errors as ours."""
    import docker
    import docker.errors

    # What requests raises below the SDK when a connection breaks is an OSError.
    broken = (docker.errors.DockerException, OSError)
    where = engine.address()
    engine.connect().close()  # says what is wrong, if anything is
    try:
        client = docker.DockerClient(timeout=ANSWER_S, **where.settings)
    except broken as error:
        raise where.silent(error) from error
    with contextlib.closing(client):
        try:
            client.ping()
        except broken as error:
            raise where.silent(error) from error
        client.api.timeout = ENGINE_S
        try:
            yield client
        except broken as error:
            raise SandboxBroken(
                f"expected the Docker engine at {where} and this host to do as told; got: {error}"
            ) from error


def _inspect(client: Any, name: str) -> dict[str, Any] | None:
    import docker.errors

    try:
        attributes: dict[str, Any] = client.api.inspect_image(name)
    except docker.errors.ImageNotFound:
        return None
    return attributes


def _has(client: Any, name: str) -> bool:
    return _inspect(client, name) is not None


def _info(client: Any, tag: str) -> ImageInfo | None:
    found = _inspect(client, tag)
    if found is None:
        return None
    labels = found["Config"].get("Labels") or {}
    return ImageInfo(
        tag=tag,
        id=str(found["Id"]),
        base=labels.get(f"{LABEL}.base", ""),
        size=int(found["Size"]),
        torch=labels.get(f"{LABEL}.torch", ""),
        created=str(found["Created"]),
    )


def _present_base(client: Any) -> tuple[str, str] | None:
    """Name and id of the base image, if it is on this host already."""
    named = os.environ.get(BASE_IMAGE)
    for name in (named,) if named else (OFFICIAL_BASE, LOCAL_BASE):
        found = _inspect(client, name)
        if found is not None:
            return name, str(found["Id"])
    return None


def _pull_base(client: Any, progress: Progress) -> tuple[str, str]:
    named = os.environ.get(BASE_IMAGE)
    name = named or OFFICIAL_BASE
    progress(f"pulling {name}")
    failure = _pull(client, name)
    base = None if failure else _present_base(client)
    if base is not None:
        return base
    if named:
        raise UsageError(
            f"{BASE_IMAGE} names {named}, which is not on this host and cannot be pulled: "
            f"{failure}. Name an image with Python 3.11, or unset it"
        )
    raise Unreachable(
        f"expected {OFFICIAL_BASE} or {LOCAL_BASE} on this host, or a registry to pull the first "
        f"from; got: {failure}. Make the second (in a checkout, as root: scripts/base-image), or "
        f"name another image with Python 3.11 in {BASE_IMAGE}"
    )


def _pull(client: Any, name: str) -> str | None:
    """Pull an image; what went wrong, if anything did."""
    import docker
    import docker.errors

    try:
        # A short question first: a registry that cannot be reached must not cost minutes.
        settings = engine.address().settings
        with contextlib.closing(docker.DockerClient(timeout=ANSWER_S, **settings)) as asking:
            asking.images.get_registry_data(name)
        client.images.pull(name)
    except (docker.errors.DockerException, OSError) as error:
        return str(error)
    return None


def _build_site(client: Any, recipe: Recipe, progress: Progress) -> None:
    progress(f"building {recipe.site_tag}: torch and numpy on {recipe.base} (about a minute)")
    with tempfile.TemporaryDirectory(prefix="cambrian-image-") as folder:
        context = Path(folder)
        first, _ = split_last_stage(recipe.dockerfile)
        (context / "Dockerfile").write_text(first)
        pins = [f"{name}=={recipe.wheels.version(name)}" for name in wheelhouse.PACKAGES]
        (context / "constraints.txt").write_text("\n".join([*pins, ""]))
        (context / "wheels").mkdir()
        for name in recipe.wheels.hashes:
            _link_or_copy(recipe.wheels.folder / name, context / "wheels" / name)
        _run_build(client, context, recipe.site_tag, recipe, progress)
    # The remains of the first stage: a gigabyte that nothing refers to.
    client.images.prune(filters={"dangling": True, "label": f"{LABEL}.stage=build"})


def _build_sandbox(client: Any, recipe: Recipe, progress: Progress) -> None:
    progress(f"building {recipe.tag}: the runner on {recipe.site_tag} (seconds)")
    with tempfile.TemporaryDirectory(prefix="cambrian-image-") as folder:
        context = Path(folder)
        _, last = split_last_stage(recipe.dockerfile)
        (context / "Dockerfile").write_text(f"FROM {recipe.site_tag} AS sandbox{last}")
        for name, text in recipe.sources.items():
            target = context / "src" / "cambrian" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
        _run_build(client, context, recipe.tag, recipe, progress)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _run_build(client: Any, context: Path, tag: str, recipe: Recipe, progress: Progress) -> None:
    steps = client.api.build(
        path=str(context),
        tag=tag,
        buildargs={"BASE_IMAGE": recipe.base, "VERSION": __version__},
        labels=recipe.labels,
        network_mode="none",
        rm=True,
        forcerm=True,
        decode=True,
    )
    last: list[str] = []
    for step in steps:
        text = str(step.get("stream", "")).strip()
        if text:
            last = [*last, text][-12:]
        if text.startswith("Step "):
            progress(text.splitlines()[0][:100])
        if "error" in step:
            said = "\n".join([*last, str(step["error"])[:400]])
            raise SandboxBroken(
                f"expected the engine to build {tag}; it failed:\n{said}\n"
                "Look at the last lines; the build has no network, and its base needs Python 3.11"
            )


@click.group(help="The sandbox image: build it, or show what is built.")
def _commands() -> None:
    """Called by `main`."""


@_commands.command("build", help="Build the image, or find it unchanged.")
def _build_command() -> None:
    _print(build(lambda line: click.echo(line, err=True)))


@_commands.command("show", help="Print the image; exit code 3 when it is not built.")
def _show_command() -> None:
    info = show()
    if info is None:
        click.echo("the sandbox image is not built; build it: make image", err=True)
        sys.exit(3)
    _print(info)


def _print(info: ImageInfo) -> None:
    for name, value in asdict(info).items():
        click.echo(f"{name:8}{value}")


def main() -> None:
    """`python -m cambrian.sandbox.image.image build|show`."""
    try:
        _commands(prog_name="python -m cambrian.sandbox.image.image")
    except CambrianError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
