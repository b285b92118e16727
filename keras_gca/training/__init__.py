"""Algorithm 2: its schedule, a file for each line that trains, and the pipeline from a corpus to a bot."""
