"""Algorithm 1: rollouts, judge, rewards, PPO or TRPO, and what is logged."""
