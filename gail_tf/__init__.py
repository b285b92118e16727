"""EmpathyGAIL: GPT-2 imitates empathetic experts by GAIL and PPO."""
