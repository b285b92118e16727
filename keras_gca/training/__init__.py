"""Algorithm 2: its schedule, a file for each of its lines, and the pipeline from a corpus to a bot."""
