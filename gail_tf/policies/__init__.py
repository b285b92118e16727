"""Policies, which draw responses from noise z and compute the responses' probabilities (Algorithm 2)."""
