"""What a model says, without its reasoning.

Reasoning models whose server does not take their thoughts apart send them before the answer, as
`<think>drafts</think>answer`, as channels (`<|channel|>analysis ... <|channel|>final`), or without
the opening mark, which their template put into the prompt. Drafts look like answers, so only what
follows counts. What stands inside an answer's fenced texts is left alone: an agent may well have
code about such marks.
"""

from __future__ import annotations

import re

_NAMES = (
    r"(?:seed:)?(?:think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis|"
    r"internal_?monologue|inner_?monologue)"
)
_MARK = re.compile(
    rf"(?P<open><{_NAMES}(?: [^<>\n]{{0,80}})?>|\[THINK\]|\u25c1think\u25b7"
    r"|<\|begin_of_thought\|>|<\|START_THINKING\|>)"
    rf"|(?P<close></{_NAMES} ?>|\[/THINK\]|\u25c1/think\u25b7"
    r"|<\|end_of_thought\|>|<\|END_THINKING\|>)"
    r"|^(?P<fence> {0,3}(?:`{3,}|~{3,}))(?P<info>[^\n]*)$"
    r"|^[ \t>*_]*(?P<title>TITLE)[ \t*_]*[:\uff1a]",
    re.I | re.M,
)
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<\n]{0,80}(?:<\|message\|>)?")
_TRAILING = re.compile(
    r"(?:\s|<\|(?:return|end|im_end|eot_id|endoftext|END_RESPONSE|end_of_solution)\|>|</s>)+\Z"
)
_LEADING = ("<|START_RESPONSE|>", "<|begin_of_solution|>", "<|message|>")
_TAIL = 1024


def answer_of(text: str) -> str:
    """The answer in what a model said; "" where there is only reasoning."""
    if "<|channel|>" in text:
        finals = list(_FINAL.finditer(text))
        text = text[finals[-1].end() :] if finals else ""
    text = _after_thoughts(text).lstrip()
    for mark in _LEADING:
        text = text.removeprefix(mark).lstrip()
    return _without_end_marks(text)


def _after_thoughts(text: str) -> str:
    """Follows the marks in order: thoughts are dropped, and so is what came before them."""
    marks = list(_MARK.finditer(text))
    last_title = max((mark.start() for mark in marks if mark["title"]), default=-1)
    kept: list[str] = []
    start, fence, thinking = 0, "", False  # where the next stretch to be kept begins
    for mark in marks:
        if thinking:
            if mark["close"] and _stands_alone(text, mark):
                thinking, start = False, mark.end()
        elif mark["fence"]:
            fence = _fence_after(fence, mark["fence"].strip(), mark["info"])
        elif mark["close"] and _ends_thoughts(text, mark, fence, last_title):
            kept, start, fence = [], mark.end(), ""  # all before it was thought, drafts included
        elif mark["open"] and not fence and _begins_line(text, mark.start()):
            kept.append(text[start : mark.start()])
            thinking = True
    return "".join(kept if thinking else [*kept, text[start:]])


def _fence_after(fence: str, found: str, info: str) -> str:
    """The fence that is open after a line that looks like one."""
    if not fence:
        return found
    closes = found[0] == fence[0] and len(found) >= len(fence) and not info.strip()
    return "" if closes else fence


def _begins_line(text: str, at: int) -> bool:
    before = text[max(0, at - 80) : at].rpartition("\n")[2]
    return not before.strip(" \t>*")


def _stands_alone(text: str, mark: re.Match[str]) -> bool:
    """Whether a closing mark is one, and not quoted in a sentence or in code."""
    after = text[mark.end() : mark.end() + 1]
    return after in ("", "\n", "\r", " ", "\t") or after.isalnum() or after in "#*<"


def _ends_thoughts(text: str, mark: re.Match[str], fence: str, last_title: int) -> bool:
    """Whether a closing mark that nothing opened ends thoughts that began before the text.

    In a fenced text it is a draft's that was broken off, if it has its line to itself and an answer
    comes after it; else it is a line of the answer's own.
    """
    if not _stands_alone(text, mark):
        return False
    return not fence or (_begins_line(text, mark.start()) and last_title > mark.end())


def _without_end_marks(text: str) -> str:
    """Without the marks that a template puts at the end, and with one line end there."""
    head, tail = text[:-_TAIL], text[-_TAIL:]
    found = _TRAILING.search(tail)
    if found is None or "<" not in found.group():
        return text
    return head + tail[: found.start()] + "\n"
