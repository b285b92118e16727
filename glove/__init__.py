"""GloVe word vectors (Pennington, Socher and Manning 2014): reading, fitting, and alignment with a vocabulary."""

from glove.embedding import EmbeddingMatrix, embedding_matrix
from glove.fit import Entries, added, cooccurrences, fit, fit_entries, joined_cooccurrences
from glove.text_files import BadLines, VectorFileError
from glove.vectors import Vectors, read_vectors, write_vectors

__all__ = [
    "BadLines",
    "EmbeddingMatrix",
    "Entries",
    "VectorFileError",
    "Vectors",
    "added",
    "cooccurrences",
    "embedding_matrix",
    "fit",
    "fit_entries",
    "joined_cooccurrences",
    "read_vectors",
    "write_vectors",
]
