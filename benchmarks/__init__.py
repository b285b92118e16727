"""Benchmarks of both packages and of comparable programs, for example `python -m benchmarks.first_paper --help`."""
