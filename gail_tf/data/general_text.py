"""The text on which a GPT-2 from scratch is pretrained by default: the first paper's embedded corpus.

The two embedded corpora have conversations in common. A network that has read a test conversation during pretraining
would predict it too well, so the common conversations are left out here. They are left out whether they are training,
validation or test conversations of the second paper, so that the text does not depend on a run's seed.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources

from gail_tf.data.spelling import plain_words
from gail_tf.data.trajectories import EMBEDDED
from keras_gca.data.conversations import Conversation, read_conversations

Words = tuple[str, ...]  # of an utterance, without case and punctuation


def without_experts(conversations: Iterable[Conversation]) -> Iterator[Conversation]:
    """Leave out the conversations that have a message and its answer in common with the second paper's embedded corpus.

    Args:
        conversations: The first paper's embedded conversations.
    """
    experts = _pairs_of_experts()
    return (each for each in conversations if experts.isdisjoint(exchanges(each.utterances)))


def exchanges(utterances: Sequence[str]) -> set[tuple[Words, Words]]:
    """Return all pairs of successive utterances, as their words without case and punctuation."""
    return set(itertools.pairwise(map(plain_words, utterances)))


@functools.cache
def _pairs_of_experts() -> frozenset[tuple[Words, Words]]:
    with resources.as_file(resources.files("gail_tf.data") / "corpus") as folder:
        conversations = [each for name in EMBEDDED for each in read_conversations(folder / name)]
    return frozenset(pair for each in conversations for pair in exchanges(each.utterances))
