"""The old address of a command, which says where the command is now."""
