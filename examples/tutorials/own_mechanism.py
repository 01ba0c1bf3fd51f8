"""A mechanism of one's own in a learner: `python own_mechanism.py`, beside lion.py."""

import sys
from pathlib import Path

import torch

from cambrian.agents.catalogue import read_mechanism
from cambrian.agents.compose import compose
from cambrian.agents.contract import TaskSpec

# The card is read off the file; nothing of it is imported here.
lion = read_mechanism("lion", "optimisation", Path("lion.py").read_text())
print(lion.card["title"], "-", lion.card["claim"])

# An agent whose learner has it, beside a memory of the catalogue.
tree = compose("lion", "reservoir", mechanisms={"lion": lion})
folder = Path("lion-agent")
tree.write_to(folder)
print(sorted(path.name for path in folder.rglob("*.py")))

# Teach it four clouds of points, as a sandbox would: batch by batch.
sys.path.insert(0, str(folder))
from learner import Learner  # noqa: E402 - the folder was made just now

torch.manual_seed(0)
centres = 2 * torch.randn(4, 8)
y = torch.arange(800) % 4
x = centres[y] + torch.randn(800, 8)
learner = Learner(TaskSpec("classification", (8,), 4, observations=600, batch_size=10), seed=0)
for start in range(0, 600, 10):
    learner.observe(x[start : start + 10], y[start : start + 10])
right = (learner.predict(x[600:]).argmax(1) == y[600:]).float().mean()
print(f"accuracy on points it never saw: {right:.2f}")
