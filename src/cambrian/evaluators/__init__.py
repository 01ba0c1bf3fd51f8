"""How a learner is judged: benchmarks, metrics, statistics, the evaluation job."""
