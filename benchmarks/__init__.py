"""Benchmarks against other programs: `python -m benchmarks.first_paper --help`."""
