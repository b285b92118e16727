"""Recognises messages that a model must not answer."""
