"""Descriptions of frames as a hostile learner would write them: JSON, and what is nearly JSON."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import strategies as st

NUMBERS = (
    *("0", "-0", "-0.0", "1", "-1", "0.5", "1e-320", "5e-324", "3.4e38", "3.5e38", "-3.5e38"),
    *("1e308", "-1.8e308", "1e309", "1E400", "1e-400", "1e99999999999", "NaN", "Infinity"),
    *("-Infinity", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *("18446744073709551616", "4611686018427387904", "4611686018427387905", "1" + "0" * 400),
    *("-1" + "0" * 400, "9" * 4300, "9" * 4301, "9" * 20_000, "0." + "3" * 9000, "1" * 5000 + ".5"),
    *("01", "+1", "0x10", "1_000", "1e", ".5", "true", "false", "null", '"1"', "[]", "{}"),
)
TEXTS = (
    *('""', '"flops"', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\u001b[2J"', '"a\\nb"'),
    *('"\\u202e"', '"' + "x" * 4000 + '"', '"' + "\\u0301" * 300 + '"', '"\\ud83d\\ude00"'),
    *('"MemoryError"', '"role"', '"user"', '"\ud7ff"', '"\t"', '"\x7f"', "'single'"),
)
KEYS = (
    *("flops", "state_bytes", "bytes", "layers", "weight_magnitude", "weight_norm", "kind"),
    *("message", "trace", "messages", "role", "content", "edit", "title", "files", "exit", "clean"),
    *("cpu_s", "peak_bytes", "output", "output_bytes", "ended", "__class__", ""),
)
FLOATS = (
    *(0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 3.4e38, -3.4e38, math.inf, -math.inf, math.nan),
    *(float(np.finfo(np.float32).max), float(np.finfo(np.float32).min), 2.0**64, 1e20, 0.1),
)

numbers = (
    st.sampled_from(NUMBERS)
    | st.integers(-(2**70), 2**70).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
)
deep = st.integers(1, 3000).map(lambda n: "[" * n + "]" * n)
leaves = numbers | st.sampled_from(TEXTS) | st.text(max_size=6).map(json.dumps)
pairs = st.tuples(st.sampled_from(KEYS).map(json.dumps), st.deferred(lambda: values))


def _object(found: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in found) + "}"


values: st.SearchStrategy[str] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda found: "[" + ",".join(found) + "]")
        | st.lists(st.tuples(st.sampled_from(KEYS).map(json.dumps), inner), max_size=4).map(_object)
    ),
    max_leaves=8,
)
"""JSON, and what is nearly JSON, as text."""

sides = st.sampled_from((1, 2, 4, 128, 512, 0, -1, 129, 2**62)).map(str)
shapes = st.lists(st.lists(sides, min_size=1, max_size=3).map(",".join), max_size=6).map(
    lambda found: "[" + ",".join(f"[{side}]" for side in found) + "]"
)
likely = st.sampled_from(("[4,1]", "[2,2]", "[1,4]", "[4,2]"))
likely_shapes = st.lists(likely, max_size=3).map(lambda found: "[" + ",".join(found) + "]")
small = st.sampled_from(("0", "4", "8", "16", "32", "64", "7", "67108864", "67108865"))


def _with(**entries: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An object that has these keys, so that what is looked for is there."""
    names = [json.dumps(name) for name in entries]
    return st.tuples(*entries.values()).map(
        lambda found: _object(list(zip(names, found, strict=True)))
    )


def encoded(found: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Texts as they cross the wire, lone surrogates included."""
    return found.map(lambda text: text.encode("utf-8", "surrogatepass"))


tame = st.sampled_from(("0", "1", "17"))
words = st.sampled_from(('"user"', '"system"', '"how?"', '""'))
costs = _with(flops=tame | numbers, state_bytes=tame | numbers)
held = _with(bytes=small)
inside = _with(
    bytes=small, layers=likely_shapes | shapes, weight_magnitude=tame | numbers,
    weight_norm=tame | numbers,
) | _with(bytes=small, layers=likely_shapes, weight_magnitude=tame, weight_norm=tame)  # fmt: skip
asked = st.lists(
    _with(role=words | leaves, content=words | leaves), min_size=1, max_size=3
).map(lambda found: "[" + ",".join(found) + "]")  # fmt: skip
edits = st.lists(pairs, max_size=4).map(_object)
improving = _with(messages=asked) | _with(edit=edits) | _with(messages=values, edit=values | deep)
failures = _with(kind=values, message=values, trace=values)
reports = _with(
    exit=tame | numbers, cpu_s=tame | numbers, peak_bytes=tame | numbers, output=leaves,
    output_bytes=tame | numbers, ended=leaves, clean=leaves,
)  # fmt: skip
FITTING = {"finish": costs, "save": held, "diagnose": inside | held, "improve": improving}
"""What the answers to a verb may be described by; those of the others by nothing."""
TAME = {
    "finish": _with(flops=st.just("17"), state_bytes=tame),
    "save": _with(bytes=st.just("4")),
    "diagnose": _with(
        bytes=st.just("16"), layers=st.just("[[4,1]]"), weight_magnitude=tame, weight_norm=tame
    ),
    "improve": st.sampled_from(
        ('{"messages":[{"role":"user","content":"how?"}],"edit":{"title":"so","files":{}}}',)
    ),
}
"""The same as an honest learner has them."""
descriptions: st.SearchStrategy[bytes] = (
    encoded(failures | costs | inside | improving | reports)
    | encoded(values)
    | deep.map(str.encode)
    | st.binary(max_size=40)
    | st.just(b"")
)
