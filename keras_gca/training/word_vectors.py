"""The word vectors with which a run starts: read from a file, or fitted to its training text (GloVe)."""

import hashlib
import itertools

import numpy as np

import glove
from glove.fit import estimate
from glove.text_files import BadLines
from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.source import Source
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.engine import reporting
from keras_gca.engine.training_loop import progress
from keras_gca.errors import UserError

# These values suit corpora of about 100,000 tokens, in which few pairs of words co-occur 100 times (GloVe's own x_max).
EPOCHS, X_MAX, WINDOW = 50, 10.0, 10
# Word vectors are fitted to about this many tokens of token files at most, because they are only initial values. The
# tokens are counted in blocks, so that the memory needed does not grow with their number.
MOST_TOKENS, BLOCK = 2**22, 2**18

# The vectors that were fitted last in this process, by what they were fitted to. The variants of a study have the same
# text and, one after the other, the same seed.
_last_fitted: dict[bytes, glove.Vectors] = {}


def initial_embedding(dataset: Dataset, config: Config, source: Source, bad: BadLines) -> np.ndarray:
    """Read word vectors from --glove, or fit them to the training text.

    If the vectors fitted last in this process have the same co-occurrences, dimension and seed, they are used again.

    Args:
        dataset: The data of the run.
        config: The settings of the run, of which the dimension and the seed are used.
        source: The source of the data, which names the file of --glove.
        bad: What to do with lines of this file that cannot be read.

    Returns:
        A float32 array of shape (s_v, s_e) with one row for each token of the vocabulary.

    Raises:
        UserError: The file cannot be read, or no two words of the training text occur together.
    """
    words = list(dataset.vocabulary.counts)
    if source.glove:
        vectors = glove.read_vectors(source.glove, words, config.word_embedding_size, source.glove_member, bad)
    else:
        vectors = _fitted(dataset, words, config)
    reporting.say(glove.embedding_matrix(words, vectors, dataset.vocabulary.counts).report())
    return glove.embedding_matrix(dataset.vocabulary.tokens, vectors).matrix


def _fitted(dataset: Dataset, words: list[str], config: Config) -> glove.Vectors:
    entries = _cooccurrences(dataset, words)
    if not len(entries.rows):
        raise UserError("no two words occur together in the training text, so word vectors cannot be fitted")
    key = _digest(entries, words, config)
    if key in _last_fitted:
        reporting.say("word vectors: those fitted for the previous run, which has the same text and seed")
        return _last_fitted[key]
    counted_at_once = BLOCK if isinstance(dataset.training, TokenPairs) else dataset.training.tokens
    cost = estimate(counted_at_once, len(entries.rows), len(words), config.word_embedding_size, WINDOW, EPOCHS)
    if cost.is_long:
        reporting.say("fitting GloVe vectors before training starts; use --glove FILE to read vectors instead", cost)
    with progress(total=EPOCHS, desc="fitting GloVe vectors") as bar:
        vectors = glove.fit_entries(
            entries,
            words,
            config.word_embedding_size,
            x_max=X_MAX,
            epochs=EPOCHS,
            seed=config.seed,
            report=lambda epoch, error: bar.update(),
        )
    _last_fitted.clear()
    _last_fitted[key] = vectors
    return vectors


def _digest(entries: glove.Entries, words: list[str], config: Config) -> bytes:
    """Return a digest of everything on which the fitted vectors depend."""
    settings = words, config.word_embedding_size, config.seed, X_MAX, EPOCHS
    digest = hashlib.sha256(repr(settings).encode())
    for array in entries:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _cooccurrences(dataset: Dataset, words: list[str]) -> glove.Entries:
    """Count how often words of the vocabulary occur together in the training text."""
    training = dataset.training
    if isinstance(training, TokenPairs):
        joined = training.documents(MOST_TOKENS)
        blocks = ((indices[part], owner[part]) for indices, owner in joined for part in _parts(owner))
        parts = (glove.joined_cooccurrences(*block, len(words), WINDOW) for block in blocks)
        return glove.added(parts, len(words))
    index = {word: i for i, word in enumerate(words)}
    documents = ([index.get(word, -1) for word in document] for document in dataset.documents)
    return glove.cooccurrences(documents, len(words), WINDOW)


def _parts(owner: np.ndarray) -> list[slice]:
    """Divide joined documents into parts of about BLOCK tokens without dividing a document.

    Args:
        owner: The index of the document that contains each token, an integer array of shape (t,).
    """
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    chosen = begins[np.unique(np.searchsorted(begins, np.arange(0, begins[-1] + 1, BLOCK)))] if len(begins) else begins
    return [slice(*ends) for ends in itertools.pairwise([*chosen.tolist(), len(owner)])]
