"""Reading an answer line by line: files, blocks, patches, and what is said of them.

Forgiving about everything but the changes: one that is not whole is never made. It is named in
`unread`, for the model to be asked for it again.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cambrian.agents.answers.fields import edit_in_json, said
from cambrian.agents.answers.marks import (
    CUT_OFF,
    DIVIDER,
    FENCE,
    FIELD,
    HEADING,
    IN_INFO,
    LONGEST_MARK,
    NAMED,
    REPLACE,
    SEARCH,
    UNSEEN,
    closes,
    plain_path,
)
from cambrian.agents.answers.patches import read_patch, starts_hunk, starts_patch
from cambrian.agents.answers.tagged import Tagged, in_tags
from cambrian.agents.answers.texts import TAGS, TextOfFile, tidy_code

LOOK_AHEAD = 60  # lines
MAX_UNREAD = 8
TOO_LONG = (
    "the answer was cut off at its limit: give what is still missing, in small blocks and few words"
)
_JSON = re.compile(r'"(?:files|blocks|edits|changes)"[ \t]*:[ \t]*[\[{]')


class Unreadable(Exception):
    """Changes that are not in the format; the message says to the model what is wrong."""


def read_answer(answer: str) -> dict[str, Any]:
    """The edit in an answer, as a JSON object.

    Beside what `cambrian.agents.edits.Edit` has it may have `format`, how the changes came, and
    `unread`, what of them could not be read. Where nothing could, it is a "problem" alone.
    """
    answer = answer.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if re.search(r"^&lt;&lt;&lt;&lt;(?:&lt;)* ?SEARCH", answer, re.M):
        answer = html.unescape(answer)
    before, was_cut, _ = answer.rstrip().rpartition(CUT_OFF)
    cut = bool(was_cut) and answer.rstrip().endswith(CUT_OFF)
    answer = before.rstrip("\n") if cut else answer
    reader = Reader(answer.split("\n"), cut=cut)
    reader.read()
    if not reader.changes and (given := edit_in_json(answer)):
        return given
    reader.use_named()
    if cut and len(reader.unread) < MAX_UNREAD:
        reader.unread.append(TOO_LONG)
    if not reader.unread and not reader.changes and _JSON.search(answer):
        return {"problem": "a JSON object that ends early, or is none: use the format asked for"}
    if reader.unread and not reader.changes:
        return {"problem": "; ".join(reader.unread)}
    return reader.edit()


class Reader:
    """Goes through an answer once."""

    def __init__(self, lines: Sequence[str], *, cut: bool = False) -> None:
        self.lines = lines
        self.cut = cut
        self.at = 0  # the next line
        self.earlier: Reader | None = None  # what came before a second answer
        self.files: dict[str, str | None] = {}
        self.blocks: list[dict[str, str]] = []
        self.unread: list[str] = []
        self.named: dict[str, list[str]] = {}  # fenced texts below a bare name: perhaps files
        self.formats: Counter[str] = Counter()
        self.said: dict[str, str] = {}
        self.kind = self.path = self.field = ""
        self.inside = ""  # the fence around what is being read
        self.wants = ""  # what must come after a heading

    def be(self, other: Reader) -> None:
        """Have read what another has, and stay in the same place."""
        at, lines = self.at, self.lines
        vars(self).update(vars(other))
        self.at, self.lines = at, lines

    @property
    def changes(self) -> bool:
        """Whether anything would be changed."""
        return bool(self.files or self.blocks)

    def read(self) -> None:
        """Read to the end; what cannot be read is noted, and the rest is read all the same."""
        while self.at < len(self.lines):
            try:
                self.line()
            except Unreadable as error:
                self.fail(error)
        self.end_section()
        if not self.changes and self.earlier is not None:
            unread = self.unread
            self.be(self.earlier)
            self.unread = unread or self.unread

    def fail(self, error: Unreadable) -> None:
        """Note what could not be read."""
        self.wants = ""
        if len(self.unread) < MAX_UNREAD:
            self.unread.append(str(error))

    def line(self) -> None:
        """Read the next line, and what belongs to it."""
        at, line = self.at, self.lines[self.at].translate(UNSEEN)
        self.at += 1
        mark = line.strip() if len(line) <= LONGEST_MARK else ""
        if SEARCH.fullmatch(mark):
            self.block(mark)
        elif REPLACE.fullmatch(mark):
            raise Unreadable(f"line {self.at}: a REPLACE without its SEARCH")
        elif (found := HEADING.match(line[:LONGEST_MARK])) is not None:
            self.heading(found["kind"].upper(), found["path"])
        elif mark and self.starts_patch(at):
            self.patch(at)
        elif mark and (tagged := in_tags(self.lines, at)) is not None:
            self.tagged(tagged)
        elif mark and (found := FENCE.fullmatch(line)) is not None:
            self.fenced(found["indent"], found["fence"], found["info"].strip())
        elif mark and not self.wants and self.names(line):
            self.kind, self.field, self.inside = "NAMED", "", ""
        else:
            self.text(line)

    def heading(self, kind: str, path: str) -> None:
        """EDIT, FILE or DELETE of a path."""
        self.end_section()
        self.kind, self.field = kind, ""
        self.path = plain_path(path)
        self.wants = {"FILE": "a fenced text", "EDIT": "a SEARCH/REPLACE block"}.get(kind, "")
        if kind == "DELETE":
            self.file(None)

    def end_section(self) -> None:
        """What a heading announced must have come by now."""
        if self.wants:
            self.fail(Unreadable(f"{self.kind} {self.path[:80]}: expected {self.wants}; got none"))

    def file(self, text: str | None) -> None:
        """Note a whole file, or the removal of one."""
        if self.files.get(self.path, text) != text:
            raise Unreadable(f"{self.path[:80]} is given twice: expected one FILE or DELETE of it")
        self.files[self.path], self.wants = text, ""
        self.formats["whole file"] += 1

    # -- fences ------------------------------------------------------------------------

    def fenced(self, indent: str, fence: str, info: str) -> None:
        """A file's text; or a fence around blocks or the whole answer; or an aside, not read."""
        follows = self.lines[self.at] if self.at < len(self.lines) else ""
        below = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        if follows.strip().lower() in TAGS and SEARCH.fullmatch(below.strip()[:LONGEST_MARK]):
            self.at, follows = self.at + 1, below
        changes = SEARCH.fullmatch(follows.strip()[:LONGEST_MARK]) or self.starts_patch(self.at)
        if self.inside and not info and closes(fence, self.inside):
            self.inside = ""
        elif self.kind == "FILE" and self.wants:
            if changes:
                self.inside = fence  # blocks, though a whole file was announced
            else:
                self.file(self.text_of_file(indent, fence))
        elif (path := IN_INFO.search(info)) is not None and self.kind in ("", "NAMED"):
            self.path, self.kind = plain_path(path["path"]), "NAMED"
            self.below_name(indent, fence, bool(changes))
        elif self.kind == "NAMED":
            self.below_name(indent, fence, bool(changes))
        elif not self.kind or changes:
            self.inside, self.field = fence, ""
        else:
            self.inside = "" if self.skipped(fence) else fence

    def below_name(self, indent: str, fence: str, changes: bool) -> None:
        """A fence below a file's name: around changes, or perhaps the file."""
        if changes:
            self.inside = fence
            return
        text = self.text_of_file(indent, fence)
        self.named.setdefault(self.path, []).append(text)
        self.kind = ""

    def text_of_file(self, indent: str, fence: str) -> str:
        """The text up to the end of the fence that is open."""
        found = TextOfFile(self.lines, self.at, indent, fence, self.path)
        self.at = found.end
        if found.text is None:
            raise Unreadable(f"FILE {self.path[:80]}: its fence {fence[:20]} is never closed")
        return found.text

    def skipped(self, fence: str) -> bool:
        """Go past an aside; False if changes are in it, or no end."""
        for at, line in enumerate(self.lines[self.at : self.at + LOOK_AHEAD], self.at + 1):
            mark = line.strip() if len(line) <= LONGEST_MARK else ""
            if SEARCH.fullmatch(mark) or self.starts_patch(at - 1):
                return False
            if mark and not mark.strip(fence[0]) and closes(mark, fence):
                self.at = at
                return True
        return False

    # -- names -------------------------------------------------------------------------

    def names(self, line: str) -> bool:
        """Whether a line is a file's name alone, with changes or a fence right below it."""
        found = NAMED.fullmatch(line)
        if found is None:
            return False
        below = next((one for one in self.lines[self.at : self.at + 3] if one.strip()), "")
        below = below.strip()[:LONGEST_MARK]
        if not (FENCE.fullmatch(below) or SEARCH.fullmatch(below) or starts_hunk(below)):
            return False
        self.path = plain_path(found["path"])
        return True

    def use_named(self) -> None:
        """Fenced texts below a bare name are files where an answer has no other changes; in an
        answer that has some, they are what is talked about."""
        if self.changes:
            return
        for path, texts in self.named.items():
            self.path = path
            if len(set(texts)) == 1:
                self.file(texts[0])
            else:
                self.fail(
                    Unreadable(f"{path[:80]} is given twice: expected one FILE or DELETE of it")
                )

    # -- changes of parts --------------------------------------------------------------

    def starts_patch(self, at: int) -> bool:
        """Whether a diff begins at a line: with its own path, or below that of a heading."""
        if at >= len(self.lines) or len(self.lines[at]) > LONGEST_MARK:
            return False
        if self.kind in ("EDIT", "FILE", "NAMED") and starts_hunk(self.lines[at]):
            return True
        return starts_patch(self.lines, at)

    def patch(self, at: int) -> None:
        """A unified diff, or text of `apply_patch`."""
        codex = self.lines[at].startswith("***")
        fenced = bool(self.inside) or self.at_fence(at)
        path = self.path if self.kind in ("EDIT", "FILE", "NAMED") else ""
        patch = read_patch(self.lines, at, path, fenced=fenced, cut=self.cut)
        self.at = max(self.at, patch.at)
        self.formats["apply_patch" if codex else "unified diff"] += len(patch.blocks) + len(
            patch.files
        )
        self.blocks += patch.blocks
        if patch.blocks or patch.files:
            self.wants = ""
        for name, text in patch.files.items():
            self.path = name
            formats = self.formats.copy()
            self.file(text if text is None else tidy_code(name, text))
            self.formats = formats
        self.kind = self.kind if path else "PATCH"
        for problem in patch.unread:
            self.fail(Unreadable(problem))

    def at_fence(self, at: int) -> bool:
        """Whether the line before is a fence."""
        return at > 0 and FENCE.fullmatch(self.lines[at - 1][:LONGEST_MARK]) is not None

    def tagged(self, found: Tagged) -> None:
        """A file or blocks between tags."""
        self.at = found.end
        self.end_section()
        self.path, self.wants, self.kind = found.path, "", "TAGGED"
        if found.unread:
            raise Unreadable(found.unread)
        if found.text is not None:
            self.file(tidy_code(found.path, found.text))
        self.blocks += found.blocks
        self.formats["tags"] += len(found.blocks)

    def block(self, mark: str) -> None:
        """A SEARCH/REPLACE block, up to its end."""
        first, what = self.at, f"line {self.at}: a SEARCH block"
        while self.at < len(self.lines) and not REPLACE.fullmatch(self.lines[self.at].strip()):
            if SEARCH.fullmatch(self.lines[self.at].strip()):
                break
            self.at += 1
        body = self.lines[first : self.at]
        if not REPLACE.fullmatch("".join(self.lines[self.at : self.at + 1]).strip()):
            raise Unreadable(f"{what} without its REPLACE")
        self.at += 1
        if (path := IN_INFO.search(mark)) is not None and self.kind in ("", "NAMED"):
            self.path, self.kind = plain_path(path["path"]), "EDIT"
        if self.kind not in ("EDIT", "FILE", "NAMED"):
            raise Unreadable(f"{what} before any ### EDIT heading")
        length = len(mark) - len(mark.lstrip("<"))
        places = [at for at, line in enumerate(body) if DIVIDER.fullmatch(line)]
        places = [at for at in places if len(body[at].strip()) == length] or places
        if len(places) != 1:
            raise Unreadable(
                f"{what}: expected one line {'=' * (length or 7)} in it; got {len(places)}"
            )
        search, replace = (
            "".join(f"{line}\n" for line in half)
            for half in (body[: places[0]], body[places[0] + 1 :])
        )
        self.blocks.append({"path": self.path, "search": search, "replace": replace})
        self.formats["search/replace"] += 1
        self.kind, self.wants = "EDIT", ""

    # -- words -------------------------------------------------------------------------

    def text(self, line: str) -> None:
        """A field, more of one, or talk."""
        found = FIELD.match(line[:LONGEST_MARK])
        if found is not None and found["name"] == "TITLE" and self.changes and not self.wants:
            # A second answer: the last one that changes something is meant.
            earlier = Reader(self.lines, cut=self.cut)
            earlier.be(self)
            self.be(Reader(self.lines, cut=self.cut))
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
        """All that was read."""
        found = {"files": self.files, "blocks": self.blocks, **said(self.said)}
        if self.formats:
            formats = [name for name, count in self.formats.items() if count]
            found["format"] = formats[0] if len(formats) == 1 else "mixed"
        if self.unread:
            found["unread"] = self.unread
        return found
