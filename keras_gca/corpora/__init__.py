"""Detects the format and encoding of corpora, and reads them with one reader for each format."""
