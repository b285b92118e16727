"""From a corpus file to context/answer pairs as arrays."""
