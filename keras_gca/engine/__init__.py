"""The training engine of both papers: batches, graphs, replicas, optimizers, random numbers and the training loop."""
