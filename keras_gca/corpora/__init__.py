"""Detects the format and encoding of a corpus; there is one reader for each format."""
