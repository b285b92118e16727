"""Files that are whole or not there: checkpoints, bots, run folders, JSON.

Of the two papers it knows only by what a file shows whose it is (`ownership`).
"""
