"""How fast, against whom: `python -m benchmarks.first_paper --help`."""
