"""Corpora of the second paper, and token files that are prepared from them."""

import json

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data import preparation
from glove.text_files import BadLines
from keras_gca.errors import UserError

WORDS = (
    "i", "you", "tom", "is", "not", "happy", "sad", "why", "my", "mother", "lost", "won", "a", "never", "great", "3.5",
    "é", "-", ",", "it's",
)  # fmt: skip
EMOTIONS = ("proud", "afraid", None)


def write_corpora(folder, conversations=60, seed=0):
    """Write conversations with emotions, tweets and general conversations; return the arguments of `Corpora`."""
    random = np.random.default_rng(seed)

    def said():
        return " ".join(random.choice(WORDS, random.integers(1, 14))).capitalize() + random.choice([".", "?", " !"])

    def talk(least, most):
        return [said() for _ in range(random.integers(least, most))]

    lines = [{"utterances": ["Hello.", "Hi!", *talk(0, 3)], "emotion": "proud"} for _ in range(5)]  # begin alike
    lines += [
        {"utterances": talk(1, 9), "emotion": EMOTIONS[random.integers(len(EMOTIONS))]} for _ in range(conversations)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (folder / "tweets.txt").write_text("\n".join(f"{said()} https://t.co/a" for _ in range(12)), encoding="utf-8")
    (folder / "general.txt").write_text("\n\n".join("\n".join(talk(1, 6)) for _ in range(9)), encoding="utf-8")
    return {name: [folder / file] for name, file in
            (("data", "corpus.jsonl"), ("tweets", "tweets.txt"), ("general", "general.txt"))}  # fmt: skip


def folder_of(corpora, out, model=None, **changes):
    """Prepare corpora in this process."""
    config = GAILConfig.preset("tiny", **changes)
    bad = BadLines(error=UserError)
    return preparation.prepare_folder(preparation.Corpora(**corpora), config, out, bad, model)
