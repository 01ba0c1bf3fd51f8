# docs/tutorials/own-benchmark.md, in a folder that holds clouds.py.

cambrian bench check clouds.py --dry

cambrian bench check clouds.py

cambrian --archive ./clouds run --benchmarks clouds.py --proposals 1
