"""Faults of each kind by seed, and what comes of them: many by `python -m tests.faults --n 10000`, few in the suite."""
