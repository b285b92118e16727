"""Turns conversations and tweets into expert trajectories, and these into arrays."""
