"""The champion as an estimator of scikit-learn."""

import csv

from champion import Classifier

with open("breast_cancer.csv", newline="") as file:
    rows = list(csv.reader(file))[1:]
x, y = [[float(cell) for cell in row[:-1]] for row in rows], [row[-1] for row in rows]
model = Classifier(random_state=0).fit(x[:400], y[:400])
print(f"scikit-learn: {model.score(x[400:], y[400:]):.3f} of {len(rows) - 400} rows")
