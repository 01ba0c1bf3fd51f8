"""Characters rendered from the fonts that matplotlib ships: many classes, few examples of each.

An Omniglot-like set without a download. A class is a character; its sixteen examples are sixteen
faces, each pushed, turned, sheared and scaled a little. Characters that look alike in the plainest
face (Latin A and Greek Alpha) are one class. No class is in two of the three parts.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.evaluators.data.base import SPLIT_SEED, Floats, Images, Part, Source
from cambrian.evaluators.data.cache import cached

SIDE = 14
FACES = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
)
CHARACTERS = tuple(
    chr(code)
    for first, last in ((0x21, 0x7E), (0xA1, 0x17F), (0x391, 0x3C9), (0x410, 0x44F))
    for code in range(first, last + 1)
    if unicodedata.category(chr(code))[0] in "LNPS"
)
INK, EM, LARGE, ALIKE = 48, 64, 56, 0.97
TRAIN_SHARE, TEST_SHARE = 0.6, 0.2


def _fonts() -> list[Any]:
    import matplotlib
    from matplotlib.ft2font import FT2Font

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [FT2Font(str(folder / f"{face}.ttf")) for face in FACES]
    for font in fonts:
        font.set_size(INK, EM)
    return fonts


def _drawn(font: Any, character: str) -> Floats:
    """One character in a square of LARGE by LARGE, centred, 0 to 1."""
    from matplotlib.ft2font import LoadFlags

    font.set_text(character, 0.0, flags=LoadFlags.NO_HINTING)
    font.draw_glyphs_to_bitmap(antialiased=True)
    ink = np.asarray(font.get_image(), dtype=np.float32)[:LARGE, :LARGE] / np.float32(255)
    square = np.zeros((LARGE, LARGE), np.float32)
    top, left = (LARGE - ink.shape[0]) // 2, (LARGE - ink.shape[1]) // 2
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return square


def _pushed(image: Floats, rng: np.random.Generator) -> Floats:
    """Turned by up to 15 degrees, sheared, scaled and moved a little; then made small."""
    from scipy.ndimage import affine_transform

    angle, shear = rng.uniform(-0.26, 0.26), rng.uniform(-0.2, 0.2)
    scale, move = rng.uniform(0.85, 1.2), rng.uniform(-4.0, 4.0, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1.0, shear], [0.0, 1.0]]) / scale
    centre = np.array([LARGE / 2 - 0.5, LARGE / 2 - 0.5])
    moved = affine_transform(image, matrix, centre - matrix @ (centre + move), order=1)
    step = LARGE // SIDE
    small: Floats = moved.reshape(SIDE, step, SIDE, step).mean((1, 3), dtype=np.float32)
    return small


def _unlike(plain: Floats) -> list[int]:
    """Places of the pictures (N, S, S) that look like none before them (cosine below ALIKE)."""
    flat = plain.reshape(len(plain), -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    kept: list[int] = []
    for place, row in enumerate(unit):
        if not kept or float((unit[kept] @ row).max()) < ALIKE:
            kept.append(place)
    return kept


def _render() -> dict[str, Any]:
    fonts, rng = _fonts(), np.random.default_rng(SPLIT_SEED)
    everywhere = [c for c in CHARACTERS if all(font.get_char_index(ord(c)) for font in fonts)]
    drawn = np.stack([[_drawn(font, c) for font in fonts] for c in everywhere])
    kept = [place for place in _unlike(drawn[:, 0]) if drawn[place].max((1, 2)).min() > 0]
    x = np.stack([[_pushed(image, rng) for image in drawn[place]] for place in kept])
    y = np.repeat(np.arange(len(kept)), len(fonts))
    return {"x": np.round(x * 255).astype(np.uint8).reshape(-1, SIDE, SIDE), "y": y}


@functools.cache
def glyphs() -> Images:
    """Characters in sixteen faces (N, 14, 14); the parts hold different characters."""
    found = cached("glyphs-1", ("x", "y"), _render)
    x, y = (found["x"] / np.float32(255)).astype(np.float32), found["y"].astype(np.int64)
    classes = np.random.default_rng(SPLIT_SEED).permutation(int(y.max()) + 1)
    ends = np.cumsum([int(share * len(classes)) for share in (TRAIN_SHARE, TEST_SHARE)])
    train, test, sealed = (np.isin(y, part) for part in np.split(classes, ends))
    return Images(Part(x[train], y[train]), Part(x[test], y[test]), Part(x[sealed], y[sealed]))


SOURCES = (
    Source(
        "glyphs",
        "about 300 characters in 16 faces, 14×14",
        "matplotlib",
        "Bitstream Vera and STIX (free)",
        glyphs,
    ),
)
