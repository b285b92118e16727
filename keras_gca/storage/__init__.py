"""Reads and writes checkpoints, bots, run folders and JSON, so that no file is ever left incomplete.

The only thing that this room knows about the two papers is how to recognise their files (`ownership`).
"""
