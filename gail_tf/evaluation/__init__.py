"""Measurement and comparison of trained runs: Table 2, Figures 5 and 6, Table 3, and ablations."""
