"""EmpathyGAIL: generative adversarial imitation learning of empathetic dialogue with GPT-2 and PPO."""
