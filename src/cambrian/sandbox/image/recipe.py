"""The recipe of the sandbox image: everything that goes into it, and so its name.

A key is a hash of the Dockerfile, the runner's sources, the wheels and the base image. So an
unchanged image is found, not built, and a changed runner never runs by mistake in an old one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cambrian import places
from cambrian.errors import SandboxBroken
from cambrian.sandbox.image.wheelhouse import Wheelhouse

REPOSITORY = "cambrian-sandbox"
SITE_REPOSITORY = "cambrian-site"
LABEL = "io.cambrian"

_PACKAGE = places.PACKAGE
_DOCKERFILE = Path("sandbox/image/Dockerfile")
_SINGLE_SOURCES = (
    "__init__.py",
    "agents/__init__.py",
    "agents/contract.py",
    "agents/part.py",
    "agents/spec.py",
    "sandbox/__init__.py",
)
_FOLDERS = (Path("agents/answers"), Path("sandbox/runner"))


@dataclass(frozen=True)
class Recipe:
    """Everything that goes into the image, and so its name.

    Attributes:
        dockerfile: text of the Dockerfile.
        sources: content of each source file, by path relative to the package; read once, so
            that the name fits what is built even while someone edits the files.
        wheels: where torch and numpy come from.
        base: name of the base image.
        base_id: the engine's digest of it.
    """

    dockerfile: str
    sources: Mapping[str, bytes]
    wheels: Wheelhouse
    base: str
    base_id: str

    @property
    def site_tag(self) -> str:
        """Name of the image below: all but the last stage."""
        first, _ = split_last_stage(self.dockerfile)
        return f"{SITE_REPOSITORY}:{_key(first, self.wheels.hashes, self.base_id)}"

    @property
    def tag(self) -> str:
        """Name of the image."""
        sources = {name: hashlib.sha256(text).hexdigest() for name, text in self.sources.items()}
        key = _key(self.dockerfile, self.wheels.hashes, self.base_id, sources)
        return f"{REPOSITORY}:{key}"

    @property
    def labels(self) -> dict[str, str]:
        """What the image says of itself, and `show` reads back."""
        return {
            f"{LABEL}.base": self.base,
            f"{LABEL}.torch": self.wheels.version("torch"),
            f"{LABEL}.numpy": self.wheels.version("numpy"),
        }


def split_last_stage(dockerfile: str) -> tuple[str, str]:
    """A Dockerfile's text before its last stage, and the last stage without its FROM line.

    Raises:
        SandboxBroken: it has fewer than two stages.
    """
    starts = list(re.finditer(r"^FROM .*$", dockerfile, flags=re.MULTILINE))
    if len(starts) < 2:
        raise SandboxBroken(
            f"expected a Dockerfile with at least two FROM lines, found {len(starts)}; "
            "the installation is damaged: install Cambrian again"
        )
    last = starts[-1]
    return dockerfile[: last.start()], dockerfile[last.end() :]


def source_files(package: Path = _PACKAGE) -> list[str]:
    """The files of ours that go into the image, relative to the package, sorted."""
    inside = (
        path.relative_to(package).as_posix()
        for folder in _FOLDERS
        for path in (package / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return sorted((*_SINGLE_SOURCES, *inside))


def read_recipe(wheels: Wheelhouse, base: tuple[str, str], package: Path = _PACKAGE) -> Recipe:
    """What would be built from a package folder, on a base image (name, id)."""
    sources = {name: (package / name).read_bytes() for name in source_files(package)}
    return Recipe((package / _DOCKERFILE).read_text(), sources, wheels, *base)


def _key(*parts: str | dict[str, str]) -> str:
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
