"""Reads a corpus, and makes arrays of context/answer pairs from it."""
