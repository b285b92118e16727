"""Algorithm 2: its schedule, one file for each line that trains a network, and the pipeline from corpus to bot."""
