"""Corpora in the formats that people have: what a file is, its encoding, and one reader for each format."""
