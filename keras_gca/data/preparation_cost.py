"""Estimates the cost of preparing token files by measuring each step on the first chunk."""

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
    """The size of one chunk, and the time that this machine needs for it.

    Attributes:
        utterances: The number of utterances in the chunk.
        pairs: The number of pairs.
        tokens: The number of tokens.
        tokenising: The time to tokenise the chunk, in seconds.
        counting: The time to count its words, in seconds.
        encoding: The time to write it as a shard, in seconds.
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
    """Measure how long each step of a preparation takes for a chunk, and remove the files that the steps write.

    Args:
        folder: The folder in which the steps write their files.
        conversations: See `tokenise_chunk`.
        parts: See `tokenise_chunk`.
        style: See `tokenise_chunk`.
        vocabulary_size: The number of words in the vocabulary.
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
        rates: The measurements of the first chunk.
        read: How much of the corpora had been read when the first chunk was complete.
        processes: The number of parallel processes.
        chunks: The number of chunks already written by an interrupted preparation.
        shards: The number of shards already written by the interrupted preparation.
        shard_pairs: The number of pairs in a shard.
        cores: The number of cores of this machine, or None to ask the system.

    Returns:
        The estimate. It is too low for archives and compressed data sets, because it is based on the sizes of the
        files.
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
    machine = f"tokenises {rates.utterances / rates.tokenising:,.0f} utterances per second in each process"
    return Estimate(seconds, memory, machine)
