"""Algorithm 1: rollouts, judges, rewards, PPO, TRPO, and the logged metrics."""
