"""Networks as policies: responses drawn from noise z, and their probabilities (Algorithm 2)."""
