"""What the site (`mkdocs.yml`) does to a page before it is built; the files stay as they are.

- The navigation gets every decision, and every page that it does not name.
- A link to a file outside docs/ becomes the file's path: the site holds no code. A link to a file
  that does not exist stops the build.
- ```` ```python file=wine.py ```` becomes a block with that name as its title.
- A mermaid block becomes the drawing that `tools/docs_site/diagrams.py` made of it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.docs_site.blocks import DOCS, DRAWINGS, MERMAID, name_of  # noqa: E402 - after the path is set

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")
_FILE = re.compile(r"^(\s*```\w+) file=(\S+)$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the decisions, and the pages that the navigation leaves out."""
    nav: list[Any] = config.nav or []
    pages = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    decisions = [page for page in pages if page.startswith("decisions/")]
    more = [page for page in pages if page not in {*decisions, *named(nav)}]
    config.nav = [*nav, {"Decisions": decisions}, *([{"More pages": more}] if more else [])]
    return config


def named(nav: Any) -> set[str]:
    """Every page that a navigation names."""
    if isinstance(nav, str):
        return {nav}
    parts = nav.values() if isinstance(nav, dict) else nav
    return {page for part in parts for page in named(part)}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text of a page as the site needs it."""
    here = DOCS / Path(page.file.src_uri).parent
    text = MERMAID.sub(lambda found: drawing(found[1], page.file.src_uri), markdown)
    text = _FILE.sub(r'\1 title="\2"', text)
    return _LINK.sub(lambda found: outside(found, here, page.file.src_uri), text)


def outside(found: re.Match[str], here: Path, page: str) -> str:
    """What stands for a link that leads out of docs/.

    Raises:
        PluginError: there is no such file.
    """
    target = (here / found[2]).resolve()
    if target.is_relative_to(DOCS):
        return found[0]
    if not target.exists():
        raise PluginError(f"{page} links to {found[2]}, which does not exist: mend the link")
    path, text = target.relative_to(ROOT).as_posix(), found[1]
    plain = text.strip("`")
    return f"`{path}`" if path.endswith(plain) else f"{text} (`{path}`)"


def drawing(source: str, page: str) -> str:
    """The drawing of a mermaid block, to stand in the page.

    Raises:
        PluginError: nobody made it yet.
    """
    path = DRAWINGS / name_of(source)
    if not path.is_file():
        raise PluginError(f"{page}: a new diagram; run tools/docs_site/diagrams.py to draw it")
    svg = path.read_text(encoding="utf-8").strip()
    return f'<div class="diagram" markdown="0">{svg}</div>'
