"""Benchmarks of both packages and of comparable programs; see `python -m benchmarks.first_paper --help`."""
