"""The networks of Figures 1 and 2, their faster equivalents, decoding (Algorithm 1), and scores (Eq. 9 to 11)."""
