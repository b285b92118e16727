"""Files that are whole or not there: checkpoints, bots, run folders, JSON. Knows neither paper."""
