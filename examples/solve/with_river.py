"""The champion as a classifier of river, row by row."""

from champion import OnlineClassifier
from river import datasets, evaluate, metrics

model = OnlineClassifier(classes=2, batch_size=10, seed=0)
accuracy = evaluate.progressive_val_score(datasets.Phishing(), model, metrics.Accuracy())
print(f"river: {accuracy.get():.3f} of {datasets.Phishing().n_samples} rows")
