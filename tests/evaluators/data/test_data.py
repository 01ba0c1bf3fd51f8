"""Every source: what is there, split for good; and a cache that survives damage."""

from __future__ import annotations

import gzip
import itertools
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from cambrian.errors import NotFound
from cambrian.evaluators import data
from cambrian.evaluators.data import cache, fashion

# Where there is no apt-get there is no package of it; everywhere else it must be here.
NO_FASHION = not fashion.present() and shutil.which("apt-get") is None
without_apt = pytest.mark.skipif(NO_FASHION, reason="no apt-get: dataset-fashion-mnist is Debian's")
SOURCES = [pytest.param(n, marks=without_apt if "fashion" in n else ()) for n in data.SOURCES]


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_here_and_split_into_three_parts_of_its_kind(name: str) -> None:
    """Fashion-MNIST included: `make test` installs the Debian package."""
    source = data.source(name)
    assert source.present(), f"{name} is missing: {source.get}"
    found = source.load()
    assert found is source.load()
    classes = set(found.train.y.tolist())
    if name == "glyphs":  # for learning to learn: every part has classes of its own
        assert not classes & (set(found.test.y.tolist()) | set(found.sealed.y.tolist()))
    else:
        assert classes == set(range(len(classes)))
    for part in (found.train, found.test, found.sealed):
        assert part.y.dtype == np.int64
        assert name == "glyphs" or set(part.y.tolist()) == classes
        x = part.rows(np.arange(20))
        assert x.dtype == np.float32
        assert np.isfinite(x).all() and abs(x).max() <= 10


@pytest.mark.parametrize("name", SOURCES)
def test_no_input_is_in_two_parts(name: str) -> None:
    found = data.source(name).load()
    parts = [{x.tobytes() for x in part.x} for part in (found.train, found.test, found.sealed)]
    shared = [len(a & b) for a, b in itertools.combinations(parts, 2)]
    # the published Fashion-MNIST holds a few pictures twice
    assert max(shared) <= (50 if name == "fashion-mnist" else 0)


@without_apt
def test_fashion_mnist_is_whole() -> None:
    found = data.fashion_mnist()
    assert [len(p.y) for p in (found.train, found.test, found.sealed)] == [60_000, 5_000, 5_000]
    assert np.bincount(found.train.y).tolist() == [6_000] * 10
    assert found.train.rows(np.array([0])).max() <= 1


def test_an_unknown_source_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"no data is called 'cifar'.*fashion-mnist"):
        data.source("cifar")


def test_a_missing_package_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="apt-get install dataset-fashion-mnist"):
        fashion.fashion_mnist(tmp_path)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x0d\x01" + struct.pack(">I", 3) + b"abc",
        b"\0\0\x08\x01\0\0\0\x09ab",
    ],
    ids=["empty", "short", "floats", "cut"],
)
def test_a_file_that_is_no_idx_file_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(raw))
    with pytest.raises(NotFound, match="IDX file"):
        fashion.read_idx(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    return cache.folder()


class Made:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, Any]:
        self.times += 1
        return {"x": np.arange(1000.0), "y": np.arange(10)}


def test_arrays_are_made_once_and_then_read(folder: Path) -> None:
    make = Made()
    first, second = (cache.cached("set", ("x", "y"), make) for _ in range(2))
    assert make.times == 1
    assert np.array_equal(first["x"], second["x"])
    assert [path.name for path in folder.iterdir()] == ["set.npz"]


@pytest.mark.parametrize("harm", ["cut", "flipped", "other", "empty", "pickle"])
def test_a_damaged_file_is_made_again(harm: str, folder: Path) -> None:
    make = Made()
    cache.cached("set", ("x", "y"), make)
    path = folder / "set.npz"
    whole = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif harm == "flipped":
        whole[len(whole) // 3] ^= 0xFF
        path.write_bytes(whole)
    elif harm == "other":
        np.savez(path, z=np.zeros(3))
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        np.savez(path, x=np.array([{}], dtype=object), y=np.zeros(3))
    assert np.array_equal(cache.cached("set", ("x", "y"), make)["x"], np.arange(1000.0))
    assert make.times == 2
    cache.cached("set", ("x", "y"), make)
    assert make.times == 2


def test_a_folder_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _: str(tmp_path / "file"))
    make = Made()
    for _ in range(2):
        assert len(cache.cached("set", ("x", "y"), make)["y"]) == 10
    assert make.times == 2


def test_turned_images_keep_their_shape_and_turn_back() -> None:
    x = np.zeros((1, 9, 9), dtype=np.float32)
    x[0, 2, 3:6] = 1
    assert np.array_equal(data.rotated(x, 0), x)
    there = data.rotated(x, 90)
    assert there.shape == x.shape and there.dtype == np.float32
    assert there[0].T[2].sum() == pytest.approx(3) or there[0].T[6].sum() == pytest.approx(3)
    assert np.allclose(data.rotated(there, -90), x, atol=1e-5)


def test_permuted_inputs_hold_the_same_values() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    found = data.permuted(x, np.array([5, 4, 3, 2, 1, 0]))
    assert found.shape == x.shape
    assert found[0].ravel().tolist() == [5, 4, 3, 2, 1, 0]
