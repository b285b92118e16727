"""Policies, which draw responses from noise z and compute the probabilities of responses (Algorithm 2)."""
