"""Changes between tags: `<file path="…">…</file>`, `<edit path="…"><search>…</search>…`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cambrian.agents.answers.marks import FENCE, LONGEST_MARK, TAG, plain_path

_PARTS = re.compile(
    r"[ \t]*<(?P<a>search|old)>(?P<search>.*?)</(?P=a)>\s*"
    r"<(?P<b>replace|new)>(?P<replace>.*?)</(?P=b)>[ \t]*\n?",
    re.S | re.I,
)


@dataclass
class Tagged:
    """What stands between a pair of tags.

    Attributes:
        end: the line after it.
        text: of a whole file; None where it is blocks.
        unread: why it could not be read; "" where it could.
    """

    path: str
    end: int
    text: str | None = None
    blocks: list[dict[str, str]] = field(default_factory=list)
    unread: str = ""


def in_tags(lines: Sequence[str], at: int) -> Tagged | None:
    """What stands between the tags that open at a line; None where none does."""
    found = TAG.fullmatch(lines[at][:LONGEST_MARK])
    if found is None:
        return None
    kind, path = found["kind"].lower(), plain_path(found["path"])
    close = f"</{kind}>"
    taken = [found["rest"]]
    end = at + 1
    while close not in taken[-1].lower() and end < len(lines):
        taken.append(lines[end])
        end += 1
    if close not in taken[-1].lower():
        return Tagged(path, end, unread=f"{kind.upper()} {path[:80]}: its tag is never closed")
    taken[-1] = taken[-1][: taken[-1].lower().rindex(close)]
    tagged = Tagged(path, end)
    if "<search>" in (body := "\n".join(taken)).lower() or "<old>" in body.lower():
        _read_blocks(tagged, body)
    elif kind == "file":
        tagged.text = _unfenced(taken)
    else:
        tagged.unread = f"EDIT {path[:80]}: expected <search> and <replace> in it; got none"
    return tagged


def _read_blocks(tagged: Tagged, body: str) -> None:
    at = 0
    for found in _PARTS.finditer(body):
        search, replace = (_part(found[name]) for name in ("search", "replace"))
        tagged.blocks.append({"path": tagged.path, "search": search, "replace": replace})
        at = found.end()
    if re.search(r"</?(?:search|old|replace|new)>", body[at:], re.I) or not tagged.blocks:
        tagged.unread = f"EDIT {tagged.path[:80]}: a <search> without its <replace>"


def _part(text: str) -> str:
    """A part's text: tags may stand on lines of their own, or around a part of a line."""
    if text.startswith("\n"):
        text = text[1:].rstrip(" \t")
        return text if not text or text.endswith("\n") else f"{text}\n"
    return text


def _unfenced(taken: Sequence[str]) -> str:
    """A file's lines without the fence that may be around them."""
    lines = list(taken)
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) >= 2 and FENCE.fullmatch(lines[0]) and FENCE.fullmatch(lines[-1]):
        lines = lines[1:-1]
    return "".join(f"{line}\n" for line in lines)
