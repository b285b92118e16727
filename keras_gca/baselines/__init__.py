"""The old location of a command that has moved."""
