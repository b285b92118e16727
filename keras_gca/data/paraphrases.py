"""Similar messages of the embedded corpus, which may replace one another in the training pairs.

A network that learns from a small corpus sees most messages in a single wording. With `--context-paraphrases`, a
message in a training pair is sometimes replaced by a similar message of the same corpus, so that the network learns the
answer for several wordings. Similar messages are found once by a pretrained sentence encoder
(`benchmarks/paraphrases.py`) and stored with the corpus, so training needs no encoder.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_gca.corpora.conversation import Conversation
from keras_gca.data.pairs import Pairs
from keras_gca.data.text import tokenise

FILE = Path(__file__).with_suffix(".txt")

# {the tokens of a message, separated by spaces: the tokens of the similar messages}
Similar = Mapping[str, Sequence[str]]


def read_similar(
    conversations: Sequence[Conversation], style: str = "split", path: Path = FILE
) -> dict[str, list[str]]:
    """Read the similar messages of the embedded corpus.

    The first line of the file is the fingerprint of the corpus. Each other line contains the number of an utterance,
    counted from 0 over the whole corpus, followed by the numbers of the utterances that are similar to it.

    Args:
        conversations: The embedded conversations.
        style: The style of contractions; see `normalise`.
        path: The file.

    Raises:
        ValueError: The file does not belong to these conversations.
    """
    utterances = [text for conversation in conversations for text in conversation.utterances]
    texts = [" ".join(tokens) for tokens in tokenise(utterances, style)]
    expected, *lines = path.read_text(encoding="utf-8").splitlines()
    if expected != fingerprint(utterances):
        raise ValueError(f"{path}: the file does not belong to these {len(utterances):,} utterances")
    similar: dict[str, list[str]] = {}
    for line in lines:
        number, *others = map(int, line.split())
        similar[texts[number]] = [texts[other] for other in others]
    return similar


def fingerprint(utterances: Sequence[str]) -> str:
    """Return a checksum of the utterances of a corpus."""
    return hashlib.sha256("\n".join(utterances).encode()).hexdigest()[:16]


def links(contexts: Sequence[str | None], similar: Similar) -> np.ndarray:
    """Find the training pairs whose contexts may replace one another.

    Args:
        contexts: The tokens of each training pair's context, separated by spaces, or None if the context has more than
            one utterance.
        similar: The similar messages.

    Returns:
        An int32 array of shape (m, 2), sorted by its first column. The context of the pair in the second column may
        replace the context of the pair in the first column. Of several pairs with the same context, only the first one
        is in the second column.
    """
    first: dict[str, int] = {}
    for row, text in enumerate(contexts):
        if text is not None:
            first.setdefault(text, row)
    found = [
        (row, first[other])
        for row, text in enumerate(contexts)
        if text is not None
        for other in similar.get(text, ())
        if other in first
    ]
    return np.array(found, np.int32).reshape(-1, 2)


def paraphrased(pairs: Pairs, links: np.ndarray, rate: float, seed: int) -> Pairs:
    """Replace contexts by similar contexts at random.

    Args:
        pairs: The n training pairs.
        links: The result of `links`.
        rate: The probability that a context that has similar contexts is replaced by one of them.
        seed: The seed of the epoch.

    Returns:
        The pairs with the same answers.
    """
    random = np.random.default_rng(seed)
    count = np.bincount(links[:, 0], minlength=len(pairs))
    start = np.cumsum(count) - count
    chosen = start + (random.random(len(pairs)) * count).astype(np.int64)
    replaced = (random.random(len(pairs)) < rate) & (count > 0)
    rows = np.arange(len(pairs))
    rows[replaced] = links[chosen[replaced], 1]
    return Pairs(pairs.contexts[rows], pairs.answers, pairs.conversation)
