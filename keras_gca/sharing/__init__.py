"""Sharing of trained agents: model cards, and the Hugging Face Hub."""
