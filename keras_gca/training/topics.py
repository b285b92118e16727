"""Fits the topic model of `--topics` to the training conversations before line 3 of Algorithm 2."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from glove.text_files import counted
from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.topics import TopicModel, fit_topics
from keras_gca.data.vocabulary import SPECIAL_TOKENS
from keras_gca.engine import reporting

MOST_TOKENS = 2**22  # the maximum number of tokens in token files to which a topic model is fitted
SHOWN_TOPICS, SHOWN_WORDS = 3, 6


def with_topics(dataset: Dataset, config: Config) -> Dataset:
    """Fit a topic model to the training conversations, and return the dataset with its weights.

    Args:
        dataset: The data of a new run.
        config: The settings.

    Raises:
        UserError: scikit-learn is missing, or the conversations have too few words that may belong to topics.
    """
    if config.topics is None:
        raise ValueError("the settings have no topics")
    documents = list(documents_of(dataset))
    model = fit_topics(documents, dataset.vocabulary, config.topics, config.seed)
    reporting.say(*described(model, dataset, len(documents)))
    return dataclasses.replace(dataset, topics=model.weights)


def described(model: TopicModel, dataset: Dataset, documents: int) -> list[str]:
    """Return lines with the number of topics and the most probable words of the most frequent topics."""
    tokens, words = dataset.vocabulary.tokens, model.topic_words(SHOWN_WORDS)[:SHOWN_TOPICS]
    used = int(np.count_nonzero((model.log_words < 0).all(axis=1)))
    fitted = f"{counted(documents, 'conversation')}, {used:,} words belong to topics"
    shown = [f"  topic {number}: {' '.join(tokens[word] for word in row)}" for number, row in enumerate(words, start=1)]
    return [f"topics:     {len(model.log_topics)}, fitted to {fitted}; the most frequent topics:", *shown]


def documents_of(dataset: Dataset) -> Iterator[np.ndarray]:
    """Yield the tokens of each training conversation, or of only some conversations if they are in token files."""
    if not isinstance(dataset.training, TokenPairs):
        yield from (dataset.vocabulary.encode(document) for document in dataset.documents)
        return
    for indices, owner in dataset.training.documents(MOST_TOKENS):
        _, begins = np.unique(owner, return_index=True)
        yield from np.split(np.where(indices >= 0, indices + len(SPECIAL_TOKENS), 0), begins[1:])
