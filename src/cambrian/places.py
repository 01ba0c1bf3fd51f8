"""The user's own directories, where a file's place is not named."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from cambrian.errors import UsageError

NAME = "cambrian"

PACKAGE = Path(__file__).parent
"""The folder of this very copy of the package."""


def data() -> Path:
    """Where archives are. Raises UsageError: no home directory is known."""
    return _known("user_data_dir", "XDG_DATA_HOME")


def cache() -> Path:
    """Where what can be rebuilt is. Raises UsageError: no home directory is known."""
    return _known("user_cache_dir", "XDG_CACHE_HOME")


def config() -> Path | None:
    """Where settings are looked for; None where no home directory is known."""
    try:
        return _known("user_config_dir", "XDG_CONFIG_HOME")
    except UsageError:
        return None


def _known(function: str, variable: str) -> Path:
    try:
        place = Path(getattr(platformdirs, function)(NAME))
    except RuntimeError:  # newer versions of platformdirs; older ones leave the "~"
        place = Path("~")
    if not place.is_absolute():
        raise UsageError(
            "expected a home directory; HOME is not set, and this user has no entry in the list of "
            f"users: set HOME or {variable} to an absolute path"
        )
    return place
