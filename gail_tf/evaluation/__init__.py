"""Table 2, Figures 5 and 6, Table 3, experiments and ablations."""
