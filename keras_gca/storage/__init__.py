"""Reads and writes checkpoints, bots, run folders and JSON, so that no file is ever left incomplete.

This package does not depend on the two papers, except that it recognises their files (`ownership`).
"""
