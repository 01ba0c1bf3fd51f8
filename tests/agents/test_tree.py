"""What a source tree promises: limits on everything that comes in, and an identity."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.agents.seeds import load_seed, seed_names
from cambrian.agents.tree import MAX_BYTES, MAX_FILES, SourceTree
from cambrian.errors import InvalidAgent

LEARNER = "class Learner:\n    pass\n"


def tree(**files: str) -> SourceTree:
    named = {name.replace("__", "/") + ".py": text for name, text in files.items()}
    return SourceTree({"learner.py": LEARNER, **named})


@pytest.mark.parametrize(
    "path",
    [
        "../learner.py",
        "/etc/passwd",
        "parts/../x.py",
        "parts\\x.py",
        "parts/x.txt",
        "parts/deep/x.py",
        "parts/__init__.py",
        "parts/torch.py",
        "parts/Ünicode.py",
        "parts/e\u0301.py",
        "parts/x.py\n",
        "Learner.py",
        "setup.py",
        "",
    ],
)
def test_only_plain_known_paths_are_allowed(path: str) -> None:
    with pytest.raises(InvalidAgent, match="expected"):
        SourceTree({"learner.py": LEARNER, path: "x = 1\n"})


def test_a_learner_is_required() -> None:
    with pytest.raises(InvalidAgent, match=r"expected a file learner\.py; got improver\.py"):
        SourceTree({"improver.py": "x = 1\n"})


def test_the_learner_must_define_the_class_at_the_top() -> None:
    with pytest.raises(InvalidAgent, match="top-level class Learner; got Lerner"):
        SourceTree({"learner.py": "class Lerner: ...\ndef f():\n    class Learner: ...\n"})


def test_too_many_files_are_refused() -> None:
    files = {f"parts/p{number}.py": "x = 1\n" for number in range(MAX_FILES)}
    with pytest.raises(InvalidAgent, match="at most 64 files; got 65"):
        SourceTree({"learner.py": LEARNER, **files})


def test_too_many_bytes_are_refused() -> None:
    line = "x = 1\n"
    with pytest.raises(InvalidAgent, match="at most 131072 bytes"):
        tree(parts__a=line * (MAX_BYTES // len(line)))


def test_notes_are_bounded() -> None:
    with pytest.raises(InvalidAgent, match=r"NOTES\.md: expected notes of at most 16384 bytes"):
        SourceTree({"learner.py": LEARNER, "NOTES.md": "n" * 20_000})


@pytest.mark.parametrize(
    "code",
    [
        f"w = '{'a' * 4097}'\n",
        f"w = b'{'a' * 4097}'\n",
        "w = [" + "1, " * 4097 + "]\n",
        "w = {" + ", ".join(f"{n}: {n}" for n in range(1000)) + "}\n",
        "w = (\n" + "    'aaaaaaaaaaaaaaaaaaaa'\n" * 210 + ")\n",
        "w = " + " + ".join(["'" + "a" * 100 + "'"] * 42) + "\n",
        "w = f(" + ", ".join(["1.23456789"] * 500) + ")\n",
        "w = [" + ", ".join("[0.123, 0.456, 0.789]" for _ in range(300)) + "]\n",
        "w = 0x" + "f" * 4097 + "\n",
        '"""' + "d" * 4097 + '"""\n',
        ("# " + "c" * 90 + "\n") * 50,
        "x = 1  # " + "c" * 4097 + "\n",
        'w = f"{x}' + "a" * 4097 + '"\n',
    ],
    ids=[
        "text", "bytes", "list", "dict", "adjacent", "sum", "call", "nested", "number",
        "docstring", "comments", "line", "f-string",
    ],
)  # fmt: skip
def test_no_literal_may_hold_weights(code: str) -> None:
    with pytest.raises(InvalidAgent, match=r"parts/a\.py:\d+: expected .*code, not weights"):
        tree(parts__a=code)


def test_ordinary_literals_are_fine() -> None:
    code = "w = [" + ", ".join(map(str, range(500))) + "]\n" + f"t = '{'a' * 4000}'\n"
    assert "parts/a.py" in tree(parts__a=code)


@pytest.mark.parametrize(
    "code",
    [
        "def f(:\n",
        "x = 1\n\tif",
        "(" * 5000,
        "-" * 50_000 + "1",
        "x = " + "[" * 150 + "]" * 150 + "\n",
        "a" + ".b" * 30_000,
        "x = " + "9" * 5000,
        "lambda: " * 3000 + "0",
        "\N{GREEK QUESTION MARK}\n",
        "x = 1\0",
        "x = '\ud800'",
    ],
)
def test_code_that_does_not_parse_safely_is_refused(code: str) -> None:
    with pytest.raises(InvalidAgent, match=r"parts/a\.py"):
        tree(parts__a=code)


def test_the_message_names_file_line_expectation_and_what_came() -> None:
    with pytest.raises(InvalidAgent) as caught:
        SourceTree({"learner.py": "x = 1\ny = = 2\n"})
    assert str(caught.value).startswith("learner.py:2: expected Python that parses; ")


def test_the_identity_is_of_content_not_of_order() -> None:
    one = SourceTree({"learner.py": LEARNER, "parts/a.py": "x = 1\n"})
    two = SourceTree({"parts/a.py": "x = 1\n", "learner.py": LEARNER})
    assert one == two and hash(one) == hash(two) and list(one) == list(two)
    assert one != one.replace({"parts/a.py": "x = 2\n"})


def test_the_identity_is_pinned() -> None:
    """Archives hold it: a change of the rule would orphan every agent."""
    assert SourceTree({"learner.py": LEARNER}).identity == (
        "0369e82391e827d9a468515931195d9612e3521d6eb931870fb7a06a2c5b04e0"
    )


@given(st.text(alphabet="ab\n #=1", max_size=30), st.text(alphabet="ab\n #=1", max_size=30))
def test_moving_text_between_files_changes_the_identity(first: str, second: str) -> None:
    notes = {"learner.py": LEARNER, "NOTES.md": first}
    assert (SourceTree(notes) == SourceTree({**notes, "NOTES.md": second})) == (first == second)


def test_the_fingerprint_sees_through_comments_layout_and_docstrings() -> None:
    plain = SourceTree({"learner.py": "class Learner:\n    lr = 0.1\n"})
    dressed = SourceTree(
        {
            "learner.py": '"""Doc."""\n# why\nclass Learner:\n    """Doc."""\n\n    lr = (0.1)\n',
            "NOTES.md": "notes",
        }
    )
    other = SourceTree({"learner.py": "class Learner:\n    lr = 0.2\n"})
    assert plain.fingerprint == dressed.fingerprint
    assert plain.identity != dressed.identity
    assert plain.fingerprint != other.fingerprint


def test_replace_adds_changes_and_removes_without_touching_the_original() -> None:
    old = tree(parts__a="x = 1\n", parts__b="y = 1\n")
    new = old.replace({"parts/a.py": None, "parts/b.py": "y = 2\n", "NOTES.md": "hello"})
    assert sorted(new) == ["NOTES.md", "learner.py", "parts/b.py"]
    assert new["parts/b.py"] == "y = 2\n" and old["parts/b.py"] == "y = 1\n"
    with pytest.raises(InvalidAgent, match="to be removed"):
        old.replace({"parts/c.py": None})


@pytest.mark.parametrize("name", seed_names())
def test_a_tree_survives_a_trip_through_a_directory(name: str, tmp_path: Path) -> None:
    before = load_seed(name)
    before.write_to(tmp_path / "agent")
    assert SourceTree.from_directory(tmp_path / "agent") == before
    with pytest.raises(FileExistsError):
        before.write_to(tmp_path / "agent")


def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    text = "class Learner:\r\n    name = 'naïve'\r\n"
    SourceTree({"learner.py": text}).write_to(tmp_path)
    assert (tmp_path / "learner.py").read_bytes() == text.encode()
    assert SourceTree.from_directory(tmp_path)["learner.py"] == text


def test_links_and_odd_things_in_a_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "learner.py").write_text(LEARNER)
    (tmp_path / "NOTES.md").symlink_to("/etc/hostname")
    with pytest.raises(InvalidAgent, match="a link"):
        SourceTree.from_directory(tmp_path)
    (tmp_path / "NOTES.md").unlink()
    os.mkfifo(tmp_path / "NOTES.md")
    with pytest.raises(InvalidAgent, match="something else"):
        SourceTree.from_directory(tmp_path)
    (tmp_path / "NOTES.md").unlink()
    (tmp_path / "parts").symlink_to(tmp_path)
    with pytest.raises(InvalidAgent, match="a link"):
        SourceTree.from_directory(tmp_path)


def test_unknown_binary_and_missing_files_in_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidAgent, match="readable directory"):
        SourceTree.from_directory(tmp_path / "nowhere")
    (tmp_path / "learner.py").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidAgent, match="UTF-8"):
        SourceTree.from_directory(tmp_path)
    (tmp_path / "learner.py").write_text(LEARNER)
    (tmp_path / "weights.bin").write_bytes(b"1")
    with pytest.raises(InvalidAgent, match=r"weights\.bin"):
        SourceTree.from_directory(tmp_path)


def test_checking_never_imports_torch() -> None:
    """The trusted side must start fast: importing torch takes seconds."""
    import subprocess

    code = (
        "import sys, cambrian.agents.recombine.isolated, cambrian.agents.improvers.probe\n"
        "from cambrian.agents.seeds import load_seed, seed_names\n"
        "assert [load_seed(name) for name in seed_names()]\n"
        "sys.exit('torch' in sys.modules or 'scipy' in sys.modules)\n"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, check=False)
    assert done.returncode == 0
