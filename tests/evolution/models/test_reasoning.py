"""Only what follows a model's reasoning counts; its answer is left as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.agents.seeds import load_seed
from cambrian.evolution.models.reasoning import answer_of

DRAFT = "TITLE: Draft\n\n### DELETE improver.py\n\n### FILE NOTES.md\n```\ndraft\n```\n"
ANSWER = "TITLE: Final\n\n### FILE NOTES.md\n```\nfinal\n```\n"
HARMONY = (
    f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant"
    f"<|channel|>final<|message|>{ANSWER}<|return|>"
)
ABOUT_MARKS = '''TITLE: Read thoughts
### FILE improver.py
```python
CLOSE = "</think>"
text = text.partition("<think>")[2].rpartition("</think>")[2]
PROMPT = """
<think>
hm
</think>
"""
```
'''


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (ANSWER, ANSWER),
        (f"<think>\n{DRAFT}</think>\n\n{ANSWER}", ANSWER),
        (f"<think>{DRAFT}</think>{ANSWER}", ANSWER),
        (f"<THINK>\n{DRAFT}</THINK>\n{ANSWER}", ANSWER),
        (f"<thinking>\n{DRAFT}</thinking>\n{ANSWER}", ANSWER),
        (f"<thought>\n{DRAFT}</thought>\n{ANSWER}", ANSWER),
        (f"<reasoning>\n{DRAFT}</reasoning>\n{ANSWER}", ANSWER),
        (f"<seed:think>\n{DRAFT}</seed:think>\n{ANSWER}", ANSWER),
        (f"[THINK]{DRAFT}[/THINK]{ANSWER}", ANSWER),
        (f"\u25c1think\u25b7{DRAFT}\u25c1/think\u25b7{ANSWER}", ANSWER),
        (
            f"<|begin_of_thought|>{DRAFT}<|end_of_thought|>\n\n<|begin_of_solution|>\n{ANSWER}",
            ANSWER,
        ),
        (f"<|START_THINKING|>{DRAFT}<|END_THINKING|><|START_RESPONSE|>{ANSWER}", ANSWER),
        (f"{DRAFT}</think>\n\n{ANSWER}", ANSWER),
        (f"{DRAFT[:-4]}\n</think>\n\n{ANSWER}", ANSWER),
        (f"So: the end.</think>\n\n{ANSWER}", ANSWER),
        (f"<think>\n{DRAFT}</think>\n<think>again</think>\n{ANSWER}", ANSWER),
        (f"<think>I write </think> here: {DRAFT}</think>\n{ANSWER}", ANSWER),
        (f"<think>\nsee `</think>` {DRAFT}</think>\n{ANSWER}", ANSWER),
        (f"Sure.\n<think>\n{DRAFT}</think>\n{ANSWER}", f"Sure.\n\n{ANSWER}"),
        (f"{ANSWER}\n<think>\n{DRAFT}</think>\n", f"{ANSWER}\n\n"),
        (f"{ANSWER}\n<think>\n{DRAFT}", f"{ANSWER}\n"),
        (f"<think>\n{DRAFT}", ""),
        ("<think></think>\n", ""),
        (f"{DRAFT}</think>\n", ""),
        (HARMONY, ANSWER),
        (f"<|channel|>analysis<|message|>{DRAFT}", ""),
        (f"{ANSWER}<|im_end|>\n", ANSWER),
        (ABOUT_MARKS, ABOUT_MARKS),
        (f"<think>\n{DRAFT}</think>\n{ABOUT_MARKS}", ABOUT_MARKS),
        (f"{DRAFT}</think>\n{ABOUT_MARKS}", ABOUT_MARKS),
    ],
)
def test_only_what_follows_the_reasoning_counts(said: str, answer: str) -> None:
    found = answer_of(said)
    assert "raft" not in found
    assert found.rstrip("\n") == answer.rstrip("\n")


def test_an_agents_own_code_passes_through_unharmed() -> None:
    for path, text in load_seed("replay").items():
        answer = f"TITLE: t\n### FILE {path}\n````python\n{text}````\n"
        assert answer_of(f"<think>\n{DRAFT}</think>\n{answer}") == answer


@given(
    st.lists(
        st.sampled_from(
            ["<think>", "</think>", "\n", "```", "TITLE: a", "x", " ", "<|channel|>final", '"']
        ),
        max_size=40,
    )
)
def test_any_marks_give_a_part_of_the_text(parts: list[str]) -> None:
    text = "".join(parts)
    assert len(answer_of(text)) <= len(text) + 1


@pytest.mark.parametrize(
    "unit",
    ["<think>", "</think>", "<think>\n</think>\n", "```\n</think>\n", "<", "`", "```", " ", "</s>",
     "<|channel|>final", "<|channel|> ", "<think ", "<thin", ">", "\n", "*", "TITLE", "<|end|>"],
)  # fmt: skip
def test_long_hostile_text_takes_no_longer_than_its_length(unit: str) -> None:
    began = time.process_time()
    answer_of(unit * ((256 << 10) // len(unit)))
    answer_of("<think>\n```\n" + unit * ((256 << 10) // len(unit)) + "x")
    assert time.process_time() - began < 5.0
