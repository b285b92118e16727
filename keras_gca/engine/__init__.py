"""Runs trainings: batches, graphs, replicas, optimizers, random numbers, the loop. Knows neither paper."""
