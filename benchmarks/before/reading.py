"""The reader of answers that older agents carry in their `improver.py`, kept as it was."""

from __future__ import annotations

import html
import json
import math
import re
from typing import Any

HEADING = re.compile(
    r"[ \t>]*#{1,6}[ \t*_`]*(?P<kind>EDIT|FILE|DELETE)[ \t*_`\"':]+"
    r"(?P<path>[^\s*`\"'()<>]*[./\\][^\s*`\"'()<>:]*)",
    re.I,
)
FIELD = re.compile(
    r"[ \t>*_#`-]*(?P<name>TITLE|HYPOTHESIS|PREDICTED[ _]GAIN|CONFIDENCE)[ \t*_`]*[:\uff1a]", re.I
)
FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
SEARCH = re.compile(r"<{4,12} ?SEARCH\b.*")
DIVIDER = re.compile(r"={4,12}[ \t]*")
REPLACE = re.compile(r">{4,12} ?REPLACE\b.*")
NUMBER = re.compile(r"[-+]?(?:\d{1,30}(?:[.,]\d{0,30})?|[.,]\d{1,30})(?:e[-+]?\d{1,4})?", re.A)
UNSEEN = {0xA0: " ", **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))}
LONGEST_MARK = 400  # characters of a line that may be a heading, a fence or a marker
LOOK_AHEAD = 60  # lines


class Unreadable(Exception):
    """Changes that are not in the format; the message says to the model what is wrong."""


def read_answer(answer: str) -> dict[str, Any]:
    """Read an answer in the format above; forgiving about everything but the changes.

    Where these are not whole the edit is a "problem" and nothing else: half of one is never made.
    """
    answer = answer.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if re.search(r"^&lt;&lt;&lt;&lt;(?:&lt;)* ?SEARCH", answer, re.M):
        answer = html.unescape(answer)
    reader = Reader(answer.split("\n"))
    try:
        reader.read()
    except Unreadable as error:
        return {"problem": str(error)}
    return (None if reader.changes else edit_in_json(answer)) or reader.edit()


class Reader:
    """Goes through an answer line by line, once."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0  # the next line
        self.earlier: Reader | None = None  # what came before a second answer
        self.files: dict[str, str | None] = {}
        self.blocks: list[dict[str, str]] = []
        self.said: dict[str, str] = {}
        self.kind = self.path = self.field = ""
        self.inside = ""  # the fence around what is being read
        self.wants = ""  # what must come after a heading

    def be(self, other: Reader) -> None:
        """Have read what another has, and stay in the same place."""
        self.earlier, self.files, self.blocks = other.earlier, other.files, other.blocks
        self.said, self.kind, self.path = other.said, other.kind, other.path
        self.field, self.inside, self.wants = other.field, other.inside, other.wants

    @property
    def changes(self) -> bool:
        return bool(self.files or self.blocks)

    def read(self) -> None:
        while self.at < len(self.lines):
            line = self.lines[self.at].translate(UNSEEN)
            self.at += 1
            mark = line.strip() if len(line) <= LONGEST_MARK else ""
            if SEARCH.fullmatch(mark):
                self.block(len(mark) - len(mark.lstrip("<")))
            elif REPLACE.fullmatch(mark):
                raise Unreadable(f"line {self.at}: a REPLACE without its SEARCH")
            elif (found := HEADING.match(line[:LONGEST_MARK])) is not None:
                self.heading(found["kind"].upper(), found["path"])
            elif mark and (found := FENCE.fullmatch(line)) is not None:
                self.fenced(found["indent"], found["fence"], found["info"].strip())
            else:
                self.text(line)
        self.end_section()
        if not self.changes and self.earlier is not None:
            self.be(self.earlier)

    def heading(self, kind: str, path: str) -> None:
        self.end_section()
        self.kind, self.field = kind, ""
        self.path = path.replace("\\", "/").removeprefix("./").rstrip(".,;")
        self.wants = {"FILE": "a fenced text", "EDIT": "a SEARCH/REPLACE block"}.get(kind, "")
        if kind == "DELETE":
            self.file(None)

    def end_section(self) -> None:
        if self.wants:
            raise Unreadable(f"{self.kind} {self.path[:80]}: expected {self.wants}; got none")

    def file(self, text: str | None) -> None:
        if self.files.get(self.path, text) != text:
            raise Unreadable(f"{self.path[:80]} is given twice: expected one FILE or DELETE of it")
        self.files[self.path], self.wants = text, ""

    def fenced(self, indent: str, fence: str, info: str) -> None:
        """A file's text; or a fence around blocks or the whole answer; or an aside, not read."""
        if self.kind == "FILE" and self.wants:
            if SEARCH.fullmatch("".join(self.lines[self.at : self.at + 1]).strip()):
                self.inside = fence  # blocks, though a whole file was announced
            else:
                self.file(self.fenced_text(indent, fence))
        elif self.inside and not info and closes(fence, self.inside):
            self.inside = ""
        elif not self.kind:
            self.inside, self.field = fence, ""
        else:
            self.inside = "" if self.skipped(fence) else fence

    def fenced_text(self, indent: str, fence: str) -> str:
        lines: list[str] = []
        depth = 1
        for line in self.lines[self.at :]:
            self.at += 1
            found = FENCE.fullmatch(line) if line.lstrip()[:3] in ("```", "~~~") else None
            if found and closes(found["fence"], fence):
                if found["info"].strip():
                    depth += len(found["fence"]) == len(fence)  # a fence in a fence
                elif len(found["indent"]) <= 3 or found["indent"] == indent:
                    depth -= 1
            if not depth:
                return "".join(f"{line}\n" for line in lines)
            lines.append(line.removeprefix(indent))
        raise Unreadable(f"FILE {self.path[:80]}: its fence {fence[:20]} is never closed")

    def skipped(self, fence: str) -> bool:
        """Go past an aside; False if blocks are in it, or no end."""
        for at, line in enumerate(self.lines[self.at : self.at + LOOK_AHEAD], self.at + 1):
            mark = line.strip() if len(line) <= LONGEST_MARK else ""
            if SEARCH.fullmatch(mark):
                return False
            if mark and not mark.strip(fence[0]) and closes(mark, fence):
                self.at = at
                return True
        return False

    def block(self, length: int) -> None:
        """A SEARCH/REPLACE block, up to its end."""
        first, what = self.at, f"line {self.at}: a SEARCH block"
        if self.kind not in ("EDIT", "FILE"):
            raise Unreadable(f"{what} before any ### EDIT heading")
        while self.at < len(self.lines) and not REPLACE.fullmatch(self.lines[self.at].strip()):
            if SEARCH.fullmatch(self.lines[self.at].strip()):
                break
            self.at += 1
        body = self.lines[first : self.at]
        if not REPLACE.fullmatch("".join(self.lines[self.at : self.at + 1]).strip()):
            raise Unreadable(f"{what} without its REPLACE")
        self.at += 1
        places = [at for at, line in enumerate(body) if DIVIDER.fullmatch(line)]
        places = [at for at in places if len(body[at].strip()) == length] or places
        if len(places) != 1:
            raise Unreadable(f"{what}: expected one line {'=' * length} in it; got {len(places)}")
        search, replace = (
            "".join(f"{line}\n" for line in half)
            for half in (body[: places[0]], body[places[0] + 1 :])
        )
        self.blocks.append({"path": self.path, "search": search, "replace": replace})
        self.kind, self.wants = "EDIT", ""

    def text(self, line: str) -> None:
        """A field, more of one, or talk."""
        found = FIELD.match(line[:LONGEST_MARK])
        if found is not None and found["name"] == "TITLE" and self.changes and not self.wants:
            # A second answer: the last one that changes something is meant.
            earlier = Reader(self.lines)
            earlier.be(self)
            self.be(Reader(self.lines))
            self.earlier = earlier
        if self.kind:
            return
        if found is not None:
            self.field = found["name"].upper().replace("_", " ")
            self.said[self.field] = line[found.end() :]
        elif line.lstrip().startswith("#"):
            self.field = ""
        elif self.field and len(self.said[self.field]) < 4000:
            self.said[self.field] += "\n" + line

    def edit(self) -> dict[str, Any]:
        said = {name: text.strip(" \t*_`\n") for name, text in self.said.items()}
        title = "".join(c for c in said.get("TITLE", "").split("\n")[0] if c.isprintable())
        hypothesis = "".join(
            c for c in said.get("HYPOTHESIS", "")[:2000] if c.isprintable() or c in "\n\t"
        )
        return {
            "files": self.files,
            "blocks": self.blocks,
            "title": title[:120].strip() or "Untitled change",
            "hypothesis": hypothesis.strip() or "No hypothesis was given.",
            "predicted_gain": number(said.get("PREDICTED GAIN", ""), 0.0, -10.0, 10.0),
            "confidence": number(said.get("CONFIDENCE", ""), 0.5, 0.0, 1.0),
        }


def closes(found: str, fence: str) -> bool:
    return found[0] == fence[0] and len(found) >= len(fence)


def number(text: str, default: float, low: float, high: float) -> float:
    """The first number in a text (percentages are divided by 100), within bounds."""
    text = text[:2000].lower().translate({0x2212: "-", 0x2013: "-", 0xFF05: "%"})
    found = NUMBER.search(text)
    if not found:
        return default
    value = float(found.group().replace(",", "."))
    if text[found.end() :].lstrip().startswith("%"):
        value /= 100.0
    return min(max(value, low), high) if math.isfinite(value) else default


def edit_in_json(answer: str) -> dict[str, Any] | None:
    """An edit that came as a JSON object instead, alone or in a fence; None where it is none."""
    try:
        given = json.loads(answer[answer.find("{") : answer.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict) or not (given.get("files") or given.get("blocks")):
        return None
    edit = Reader([]).edit()
    return {key: given.get(key, usual) for key, usual in edit.items()}
