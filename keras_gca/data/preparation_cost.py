"""Estimates the cost of a preparation of token files from its first chunk, on which each of its steps is measured."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glove.cost import Estimate
from keras_gca.data.token_chunks import ShardTask, count_chunk, encode_shard, read_chunk, tokenise_chunk
from keras_gca.data.word_counts import MOST_WORDS
from keras_gca.engine.memory import IMPORTS
from keras_gca.engine.preparing_cost import WARM_UP, Read, first_pass

SHARED = 0.5e9  # bytes of TensorFlow's libraries, which all processes share (docs/performance.md)
OF_A_TOKEN = 20  # bytes: a shard's tokens and their lengths, and copies of them
OF_A_WORD = 150  # bytes of a word and its frequency in a dictionary


class Rates(NamedTuple):
    """What this machine needs for one chunk.

    Attributes:
        utterances: The number of utterances of the chunk.
        pairs: The number of its pairs.
        tokens: The number of its tokens.
        tokenising: The seconds to tokenise it.
        counting: The seconds to count its words.
        encoding: The seconds to write it as a shard.
    """

    utterances: int
    pairs: int
    tokens: int
    tokenising: float
    counting: float
    encoding: float


def measure(
    folder: Path, conversations: Sequence[Sequence[str]], parts: Sequence[int], style: str, vocabulary_size: int
) -> Rates:
    """Measure the steps of a preparation on a chunk; the files that they write are removed.

    Args:
        folder: The folder in which files are written.
        conversations: See `tokenise_chunk`.
        parts: See `tokenise_chunk`.
        style: See `tokenise_chunk`.
        vocabulary_size: The number of words of the vocabulary.
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path, nothing = Path(place) / "chunk.npz", np.empty(0, np.int64)
        tokenise_chunk(path, conversations[:WARM_UP], parts[:WARM_UP], style)
        times = [time.perf_counter()]
        tokenise_chunk(path, conversations, parts, style)
        times.append(time.perf_counter())
        words, _ = count_chunk(path, nothing, True)
        times.append(time.perf_counter())
        task = ShardTask(Path(place), 0, [path], [nothing], True, "uint32", Path(place) / "record.json")
        encode_shard(task, words[:vocabulary_size])
        times.append(time.perf_counter())
        chunk = read_chunk(path)
        utterances = sum(map(len, conversations))
        return Rates(utterances, chunk.facts.pairs, len(chunk.tokens), *np.diff(times).tolist())


def estimate(
    rates: Rates, read: Read, processes: int, chunks: int, shards: int, shard_pairs: int, cores: int | None = None
) -> Estimate:
    """Estimate the cost of a preparation.

    Args:
        rates: What this machine needs for the first chunk.
        read: How far the corpora were read then.
        processes: The number of processes that work at the same time.
        chunks: The number of chunks that an interrupted preparation has written.
        shards: The number of shards that it has written.
        shard_pairs: The number of pairs of a shard.
        cores: The number of cores of this machine, or None to ask the system.

    Returns:
        The estimate. Archives and compressed data sets count with the size of their files, so that it is too low for
        them.
    """
    cores = cores or os.cpu_count() or 1
    at_once, pairs = min(processes, cores), max(1, rates.pairs)
    tokenise = rates.tokenising * max(0.0, read.chunks - chunks)
    encode = rates.encoding * max(0.0, read.chunks - shards * shard_pairs / pairs)
    seconds = {
        "reading_and_tokenising": first_pass(read.whole, tokenise, processes, cores),
        "counting_words": rates.counting * read.chunks / at_once,
        "writing_shards": encode / at_once,
    }
    of_shard = OF_A_TOKEN * rates.tokens / pairs * min(shard_pairs, pairs * read.chunks)
    memory = (
        SHARED + processes * (IMPORTS - SHARED + of_shard) + OF_A_WORD * min(MOST_WORDS, rates.tokens * read.chunks)
    )
    machine = f"tokenises {rates.utterances / rates.tokenising:,.0f} utterances a second in each process"
    return Estimate(seconds, memory, machine)
