"""The pipeline from a corpus to a bot, and the run folder it writes."""
