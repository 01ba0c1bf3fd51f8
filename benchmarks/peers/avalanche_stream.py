"""The stream of `benchmarks/evaluators.py` in Avalanche: one line in, one run, one line out.

    avalanche_stream.py ONCE.npz STEPPED.npz TEST_BATCH

Each line of standard input is "EPOCHS EACH_STEP" (of the second file where that is 1); the answer
is wall seconds from the first batch to the last evaluation, processor seconds, and the mean
accuracy on all tasks at the end. One thread, no loggers, its own fast path for tensors, and no
metric but accuracy; tests go through the network TEST_BATCH images at a time (its default is 1).
"""

# ruff: isort: skip_file
# Avalanche cannot be imported before this.
from avalanche_import import avalanche  # noqa: F401

import sys
import time

import numpy as np
import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils.classification_dataset import (
    _make_taskaware_tensor_classification_dataset as dataset,
)
from avalanche.evaluation.metrics import accuracy_metrics
from avalanche.training.plugins import EvaluationPlugin, ReplayPlugin
from avalanche.training.supervised import Naive
from replay_learner import BATCH, CAPACITY, RATE, Learner

torch.set_num_threads(1)


def stream(path: str):
    with np.load(path) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    tasks = len([name for name in arrays if name.startswith("train_x")])
    parts = {
        kind: [
            dataset(arrays[f"{kind}_x{t}"], arrays[f"{kind}_y{t}"], task_labels=0)
            for t in range(tasks)
        ]
        for kind in ("train", "test")
    }
    return benchmark_from_datasets(train=parts["train"], test=parts["test"])


def run(scenario, epochs: int, each_step: bool, test_batch: int) -> tuple[float, float, float]:
    learner = Learner(None, seed=1)
    evaluation = EvaluationPlugin(accuracy_metrics(stream=True), loggers=[], strict_checks=False)
    strategy = Naive(
        model=learner.network,
        optimizer=torch.optim.SGD(learner.network.parameters(), lr=RATE),
        train_mb_size=BATCH,
        train_epochs=epochs,
        eval_mb_size=test_batch,
        plugins=[ReplayPlugin(mem_size=CAPACITY, batch_size=BATCH, batch_size_mem=BATCH)],
        evaluator=evaluation,
        eval_every=1 if each_step else -1,
        peval_mode="iteration",
    )
    began, used = time.perf_counter(), time.process_time()
    for number, experience in enumerate(scenario.train_stream):
        streams = [scenario.test_stream] if each_step else []
        strategy.train(experience, eval_streams=streams, drop_last=False)
        found = strategy.eval(scenario.test_stream[: number + 1])
    seconds, used = time.perf_counter() - began, time.process_time() - used
    [value] = [v for name, v in found.items() if name.startswith("Top1_Acc_Stream")]
    return seconds, used, float(value)


def main() -> None:
    scenarios, test_batch = [stream(path) for path in sys.argv[1:3]], int(sys.argv[3])
    for line in sys.stdin:
        epochs, each_step = map(int, line.split())
        print(*run(scenarios[each_step], epochs, bool(each_step), test_batch), flush=True)


main()
