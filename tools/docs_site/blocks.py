"""The mermaid blocks of docs/, and where the drawing of each is."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
DRAWINGS = DOCS / "images" / "diagrams"
MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(source: str) -> str:
    """The file name of a block's drawing: it changes with the block."""
    return hashlib.sha256(source.encode()).hexdigest()[:12] + ".svg"


def blocks() -> dict[str, str]:
    """Every block of every page, by the name of its drawing."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))]
    return {name_of(source): source for text in texts for source in MERMAID.findall(text)}
