"""Detects the format and encoding of corpora, and reads each format with its own reader."""
