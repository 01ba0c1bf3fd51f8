"""Fakes and harnesses that tests and benchmarks share, and that a plugin's own tests may use.

Nothing here runs in a run of yours, and no room imports it. What is faked is what is slow or costs
money (the sandboxed worker, the model); archives, the pipeline, recombination and the lineage are
the real ones.
"""
