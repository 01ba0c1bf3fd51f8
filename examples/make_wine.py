"""Write wine.csv: a table with a header, thirteen columns of measurements and one of labels."""

import csv
from pathlib import Path

from sklearn.datasets import load_wine

found = load_wine()
with Path("wine.csv").open("w", newline="") as file:
    out = csv.writer(file)
    out.writerow([*found.feature_names, "vineyard"])
    for measurements, label in zip(found.data, found.target, strict=True):
        out.writerow([*measurements, f"vineyard {label}"])
