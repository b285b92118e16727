"""Algorithm 2: the schedule, a module for each line that trains a network, and the pipeline from corpus to bot."""
