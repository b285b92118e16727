"""GloVe word vectors (Pennington, Socher and Manning 2014): read, fit, and align with a vocabulary."""

from glove.embedding import EmbeddingMatrix, embedding_matrix
from glove.fit import cooccurrences, fit
from glove.text_files import BadLines, VectorFileError
from glove.vectors import Vectors, read_vectors, write_vectors

__all__ = [
    "BadLines",
    "EmbeddingMatrix",
    "VectorFileError",
    "Vectors",
    "cooccurrences",
    "embedding_matrix",
    "fit",
    "read_vectors",
    "write_vectors",
]
