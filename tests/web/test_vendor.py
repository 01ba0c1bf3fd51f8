"""What was taken from others: listed, unchanged, with its licence, and small."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import cambrian.web

STATIC = Path(cambrian.web.__file__).parent / "static"
HOMES = [STATIC / "vendor", Path(__file__).parent / "vendor"]
OTHERS_KB = 868
"""The size of the page that this one is to be smaller than (ShinkaEvolve's)."""


@pytest.mark.parametrize("home", HOMES, ids=["page", "tests"])
def test_every_file_of_others_is_the_one_that_the_manifest_names(home: Path) -> None:
    listed = json.loads((home / "vendor.json").read_text())["files"]
    for entry in listed:
        content = (home / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        assert entry["licence"] and entry["version"] and entry["package_integrity"]
        assert (home / entry["licence_file"]).read_text().strip()
    files = {each.name for each in home.iterdir() if each.is_file()}
    assert files == {entry["file"] for entry in listed} | {"vendor.json"}


def test_our_own_files_name_no_other_host() -> None:
    web = STATIC.parent
    ours = [*web.glob("templates/*.html"), *STATIC.glob("*.*")]
    assert len(ours) > 15
    for path in ours:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", text), path.name


def test_all_of_the_page_is_far_smaller_than_others() -> None:
    size = sum(
        each.stat().st_size for each in STATIC.rglob("*.*") if each.suffix in (".js", ".css")
    )
    assert size < OTHERS_KB * 1000 / 3
