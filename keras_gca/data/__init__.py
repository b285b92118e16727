"""Reads a corpus and turns it into arrays of context/answer pairs."""
