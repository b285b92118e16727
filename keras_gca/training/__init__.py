"""Algorithm 2: its schedule, a module for each line that trains a network, and the pipeline from corpus to bot."""
