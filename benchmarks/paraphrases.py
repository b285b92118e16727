"""Finds similar messages in the embedded corpus, and writes them to `keras_gca/data/paraphrases.txt`.

Two messages are similar if the cosine similarity of their vectors from all-MiniLM-L6-v2 is at least LEAST. Run this
command again whenever the embedded conversations change:

    python -m benchmarks.paraphrases
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from gail_tf.base_models.known_models import ENCODER
from keras_gca.data.conversations import read_conversations
from keras_gca.data.paraphrases import FILE, fingerprint
from keras_gca.engine import command_line
from keras_gca.storage.atomic import write_text

LEAST = 0.75  # the lowest cosine similarity
MOST = 6  # the highest number of similar messages
BLOCK = 1000  # the number of messages that are compared with all messages at a time


def nearest(vectors: np.ndarray) -> list[list[int]]:
    """Find the most similar vectors of each vector, most similar first.

    Args:
        vectors: n vectors of norm 1, shape (n, E) and dtype float32.

    Returns:
        For each vector, the indices of at most MOST other vectors with a cosine similarity of at least LEAST.
    """
    found = []
    for start in range(0, len(vectors), BLOCK):
        cosines = vectors[start : start + BLOCK] @ vectors.T
        cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -1.0
        for row in cosines:
            near = np.flatnonzero(row >= LEAST)
            found.append(near[np.argsort(-row[near], kind="stable")][:MOST].tolist())
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    parser = command_line.Parser(
        prog="python -m benchmarks.paraphrases",
        description="Find similar messages in the embedded corpus with a pretrained sentence encoder.",
    )
    parser.add_argument("--output", type=Path, default=FILE, metavar="FILE", help="the file to write")
    parser.add_argument("--yes", action="store_true", help=f"fetch {ENCODER} without asking")
    options: argparse.Namespace = parser.parse_args(arguments)
    from gail_tf.base_models.locate import locate
    from gail_tf.evaluation.sentence_encoder import SentenceEncoder

    first: dict[str, int] = {}  # the number of the first utterance with this text that is followed by an answer
    number = 0
    conversations = read_conversations()
    for conversation in conversations:
        for text in conversation.utterances[:-1]:
            first.setdefault(text, number)
            number += 1
        number += 1
    texts, numbers = list(first), list(first.values())
    found = nearest(SentenceEncoder.read(locate(ENCODER, options.yes))(texts))
    written = [
        " ".join(map(str, (numbers[i], *(numbers[other] for other in near)))) for i, near in enumerate(found) if near
    ]
    utterances = [text for conversation in conversations for text in conversation.utterances]
    write_text(options.output, "\n".join([fingerprint(utterances), *written]) + "\n")
    print(f"wrote {options.output}: {len(written):,} of {len(texts):,} messages have similar messages")
    return 0


if __name__ == "__main__":
    sys.exit(command_line.run(main, "paraphrases"))
