"""Runs training runs of either paper: batches, graphs, replicas, optimizers, random numbers, the loop."""
