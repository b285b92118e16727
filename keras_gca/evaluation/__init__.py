"""Measures trained agents and makes tables of the metrics."""
