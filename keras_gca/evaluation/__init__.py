"""What is measured of trained agents, and how figures become tables."""
