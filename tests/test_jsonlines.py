"""Files of JSON lines: what was added stays, whatever a kill cut off after it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cambrian import jsonlines
from cambrian.errors import CambrianError


def test_a_line_that_was_cut_off_is_taken_away_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    jsonlines.mend(path)
    assert not path.exists()
    for number in (1, 2):
        jsonlines.append(path, {"n": number, "text": "ä"})
    whole = path.read_bytes()
    path.write_bytes(whole + '{"n": 3, "text": "ä'.encode()[:-1])  # in the middle of a letter
    assert jsonlines.read(path, lambda row: row["n"], "a number", "mend it") == [1, 2]
    jsonlines.mend(path)
    assert path.read_bytes() == whole
    jsonlines.append(path, {"n": 4})
    assert jsonlines.read(path, lambda row: row["n"], "a number", "mend it") == [1, 2, 4]


def test_a_compressed_file_is_read_and_a_line_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n": 1}\n{"m": 2}\n'))
    with pytest.raises(CambrianError, match=r"expected a number in line 2 of .*: take it out"):
        jsonlines.read(path, lambda row: row["n"], "a number", "take it out")
