"""From conversations and tweets to expert trajectories as arrays."""
