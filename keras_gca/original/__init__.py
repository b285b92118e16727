"""Reads and writes the author's own files."""
