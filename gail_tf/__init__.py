"""EmpathyGAIL: a GPT-2 policy that imitates empathetic experts by GAIL and PPO, in Keras."""
