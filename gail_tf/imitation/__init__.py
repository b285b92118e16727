"""Algorithm 1: rollouts, judge, rewards, PPO or TRPO, and the logged metrics."""
