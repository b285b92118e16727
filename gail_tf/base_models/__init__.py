"""Where pretrained models come from: known models of a package index, GGUF files, wheels, folders and the Hub."""
