"""Reads and writes checkpoints, bots, run folders and JSON without ever leaving an incomplete file.

Nothing here is specific to either paper, except that `ownership` recognises the files of both packages.
"""
