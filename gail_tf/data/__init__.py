"""Turns conversations and tweets into expert trajectories, and trajectories into arrays."""
