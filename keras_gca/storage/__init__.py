"""Reads and writes checkpoints, bots, run folders and JSON without ever leaving an incomplete file.

No module in this package is specific to one paper, although `ownership` recognises files of both papers.
"""
