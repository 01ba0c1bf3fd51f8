"""l2metrics' own metric classes on its own example logs, as JSON.

    l2metrics_example.py CHECKOUT

It is in no package index: CHECKOUT is a clone of lifelong-learning-systems/l2metrics. Its report
needs packages that are in none either, so the classes are driven here as the report drives them.
"""

import json
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd

CHECKOUT = Path(sys.argv[1])
PACKAGE = types.ModuleType("l2metrics")
PACKAGE.__path__ = [str(CHECKOUT / "l2metrics")]
sys.modules["l2metrics"] = PACKAGE

from l2metrics._localutil import smooth  # noqa: E402
from l2metrics.normalizer import Normalizer  # noqa: E402
from l2metrics.performance_maintenance import PerformanceMaintenance  # noqa: E402
from l2metrics.performance_recovery import PerformanceRecovery  # noqa: E402
from l2metrics.recovery_time import RecoveryTime  # noqa: E402
from l2metrics.sample_efficiency import SampleEfficiency  # noqa: E402
from l2metrics.ste_relative_performance import STERelativePerf  # noqa: E402
from l2metrics.terminal_performance import TerminalPerformance  # noqa: E402
from l2metrics.transfer import Transfer  # noqa: E402

COLUMN = "performance"


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


def lifetime() -> tuple[pd.DataFrame, pd.DataFrame]:
    """All experiences with their regime numbers, and one row per regime."""
    folder = CHECKOUT / "examples/ll_logs/multi_task/0"
    places = sorted(folder.iterdir(), key=lambda p: int(re.match(r"\d+", p.name)[0]))
    frames, regimes = [], []
    for number, place in enumerate(places):
        data = read(place / "data-log.tsv")
        for task in data.task_name.unique():  # in the order in which they come
            part = data[data.task_name == task].copy()
            part["regime_num"] = len(regimes)
            frames.append(part)
            kind = part.block_type.iloc[0]
            regimes.append((number, kind, "wake", task, len(regimes)))
    columns = ["block_num", "block_type", "block_subtype", "task_name", "regime_num"]
    log = pd.concat(frames)
    log["block_subtype"] = "wake"
    return log, pd.DataFrame(regimes, columns=columns)


def experts() -> dict[str, list[pd.DataFrame]]:
    found: dict[str, list[pd.DataFrame]] = {}
    for path in sorted((CHECKOUT / "examples/ste_logs").rglob("data-log.tsv")):
        data = read(path)
        data["regime_num"] = 0
        found.setdefault(data.task_name.iloc[0], []).append(data)
    return found


def smoothed(data: pd.DataFrame) -> None:
    for number in data.regime_num.unique():
        rows = data.regime_num == number
        if (data[rows].block_type == "train").all():
            data.loc[rows, COLUMN] = smooth(data.loc[rows, COLUMN].to_numpy())


def main() -> None:
    log, regimes = lifetime()
    runs = experts()
    raw_log = [
        [regime.block_type, regime.task_name, log[log.regime_num == n][COLUMN].tolist()]
        for n, regime in regimes.iterrows()
    ]
    raw_runs = {task: [d[COLUMN].tolist() for d in given] for task, given in runs.items()}
    scale = Normalizer(
        COLUMN, log[["task_name", COLUMN]].set_index("task_name"), runs, method="task"
    )
    log = scale.normalize(log)
    runs = {task: [scale.normalize(d) for d in given] for task, given in runs.items()}
    smoothed(log)
    for given in runs.values():
        for data in given:
            smoothed(data)
    table = regimes.copy()
    log = log.set_index("regime_num", drop=False)
    log.index.name = None
    for metric in (
        TerminalPerformance(COLUMN),
        RecoveryTime(COLUMN),
        PerformanceRecovery(COLUMN),
        PerformanceMaintenance(COLUMN, "mrlep"),
        Transfer(COLUMN, "both"),
        STERelativePerf(COLUMN, runs),
        SampleEfficiency(COLUMN, runs),
    ):
        table = metric.calculate(log, regimes, table)
    commit = subprocess.run(
        ["git", "-C", CHECKOUT, "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    print(
        json.dumps(
            {
                "source": f"lifelong-learning-systems/l2metrics, commit {commit or 'unknown'}",
                "program": "l2metrics_example.py",
                "log": raw_log,
                "experts": raw_runs,
                "performance_maintenance": by_task(table, "perf_maintenance_mrlep"),
                "performance_recovery": by_task(table, "perf_recovery"),
                "relative_performance": by_task(table, "ste_rel_perf"),
                "sample_efficiency": by_task(table, "sample_efficiency"),
                "forward_transfers": transfers(table, "forward_transfer"),
                "backward_transfers": transfers(table, "backward_transfer"),
            }
        )
    )


def by_task(table: pd.DataFrame, column: str) -> dict[str, float]:
    """The one value of each task; the mean over expert runs where there are several."""
    found = table[["task_name", column]].dropna()
    return {task: float(np.mean(value)) for task, value in found.itertuples(index=False)}


def transfers(table: pd.DataFrame, column: str) -> list[list]:
    """[source, target, ratio, contrast] in order."""
    both = table[["task_name", f"{column}_ratio", f"{column}_contrast"]].dropna()
    return [
        [source, target, ratio[source], contrast[source]]
        for target, ratio, contrast in both.itertuples(index=False)
        for source in ratio
    ]


main()
