#!/usr/bin/env python3
"""Write the five tables of docs/solve.md as CSV files: tools/solve/tables.py FOLDER.

scikit-learn's wine and breast cancer, and river's Bananas, Phishing and ImageSegments, each with
its header and every row in the order that its library gives it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Table = tuple[Sequence[str], Iterator[Sequence[Any]]]


def of_sklearn(load: Any, label: str) -> Table:
    """A bunch of scikit-learn: the header, and its rows with their classes by name."""
    found = load()
    header = [name.replace(" ", "_").replace("/", "_") for name in found.feature_names]
    rows = ([*x, found.target_names[y]] for x, y in zip(found.data, found.target, strict=True))
    return [*header, label], rows


def of_river(data: Any, label: str) -> Table:
    """A data set of river: the header, and its rows in their order."""
    first, _ = next(iter(data))
    names = list(first)
    return [*map(str, names), label], ([*(x[name] for name in names), y] for x, y in data)


def tables() -> Iterator[tuple[str, Table]]:
    """The five, by the names of their files."""
    from river import datasets as shipped
    from sklearn.datasets import load_breast_cancer, load_wine

    datasets: Any = shipped
    yield "wine.csv", of_sklearn(load_wine, "vineyard")
    yield "breast_cancer.csv", of_sklearn(load_breast_cancer, "finding")
    yield "bananas.csv", of_river(datasets.Bananas(), "banana")
    yield "phishing.csv", of_river(datasets.Phishing(), "phishing")
    yield "image_segments.csv", of_river(datasets.ImageSegments(), "segment")


def write_all(folder: Path) -> list[Path]:
    """Write them into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (header, rows) in tables():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(header)
            out.writerows(rows)
        written.append(folder / name)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"expected a folder to write the tables into: {sys.argv[0]} FOLDER")
    for path in write_all(Path(sys.argv[1])):
        print(path)
