"""EmpathyGAIL: generative adversarial imitation of empathetic experts with GPT-2 and PPO."""
