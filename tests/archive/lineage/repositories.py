"""What the tests ask git of a lineage."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cambrian.archive import Archive


def git(archive: Archive, *arguments: str) -> str:
    command = ["git", f"--git-dir={archive.path / 'lineage.git'}", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode()


def loose_refs(archive: Archive) -> list[Path]:
    return [path for path in (archive.path / "lineage.git/refs").rglob("*") if path.is_file()]
