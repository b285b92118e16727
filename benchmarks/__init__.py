"""Benchmarks of both packages, also against other programs; see `python -m benchmarks.first_paper --help`."""
