"""The lines by which an answer says what its other lines are."""

from __future__ import annotations

import re

CUT_OFF = "[the answer was cut off here, at its limit]"
"""The last line of an answer that its endpoint cut off; the host puts it there."""

LONGEST_MARK = 400
"""Characters of a line that may be a heading, a fence or a marker."""

PATH = r"(?:\./|[ab]/)?(?:learner\.py|improver\.py|NOTES\.md|parts[/\\][A-Za-z0-9_]{1,80}\.py)"
HEADING = re.compile(
    r"[ \t>]*#{1,6}[ \t*_`]*(?P<kind>EDIT|FILE|DELETE)[ \t*_`\"':]+"
    r"(?P<path>[^\s*`\"'()<>]*[./\\][^\s*`\"'()<>:]*)",
    re.I,
)
NAMED = re.compile(
    rf"[ \t>#*_`-]*(?:(?:file ?name|file|path)[ \t]*[:=]?[ \t]*)?[*_`\"'\[(]*(?P<path>{PATH})"
    r"[*_`\"'\])]*[ \t]*(?:\([^()\n]{0,60}\))?[ \t:*_`]*",
    re.I,
)
FIELD = re.compile(
    r"[ \t>*_#`-]*(?P<name>TITLE|HYPOTHESIS|PREDICTED[ _]GAIN|CONFIDENCE)[ \t*_`]*[:\uff1a]", re.I
)
FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
IN_INFO = re.compile(rf"(?:^|[\s:=\"'(])(?P<path>{PATH})(?:$|[\s\"')])")
SEARCH = re.compile(r"(?:<{4,12} ?(?:SEARCH|ORIGINAL|HEAD)|-{5,12} ?SEARCH)\b.*")
DIVIDER = re.compile(r"={4,12}[ \t]*")
REPLACE = re.compile(r"(?:>{4,12} ?(?:REPLACE|UPDATED|NEW)|\+{5,12} ?REPLACE)\b.*")
TAG = re.compile(
    r"[ \t]*<(?P<kind>file|edit|change)\b[^<>]{0,80}\b(?:path|name|file)[ \t]*=[ \t]*"
    r"[\"'\u201c\u201d](?P<path>[^\"'<>\u201c\u201d]{1,120})[\"'\u201c\u201d][^<>]{0,80}>(?P<rest>.*)",
    re.I,
)
UNSEEN = {0xA0: " ", **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))}
STRAIGHT = {
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f"), '"'),
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b"), "'"),
    **dict.fromkeys(map(ord, "\u2012\u2013\u2212"), "-"),
    0x2026: "...",
    **UNSEEN,
}
"""What word processors make of quotes, minus signs and blanks, and what they were."""


def closes(found: str, fence: str) -> bool:
    """Whether a line of fence characters closes a fence."""
    return found[0] == fence[0] and len(found) >= len(fence)


def plain_path(path: str) -> str:
    """A path as the tree has it: forward slashes, nothing before or after it."""
    return path.replace("\\", "/").removeprefix("./").rstrip(".,;")
