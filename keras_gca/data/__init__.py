"""Turns a corpus file into context/answer pairs as arrays."""
