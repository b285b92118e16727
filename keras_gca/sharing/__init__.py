"""Writes model cards for trained agents, and shares agents on the Hugging Face Hub."""
