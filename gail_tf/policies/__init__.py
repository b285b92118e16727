"""Networks as policies: they draw responses from noise z and compute their probabilities (Algorithm 2)."""
