"""Messages that must not be answered by a model."""
