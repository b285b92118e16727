"""Estimates the cost of a preparation of trajectories from its first chunk, on which its passes are measured."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gail_tf.data.division import Division
from gail_tf.data.sentiment import sentiment
from gail_tf.data.token_chunks import Read as Conversation
from gail_tf.data.token_chunks import ShardTask, encode_shard, read_chunk, write_chunk
from gail_tf.data.token_folder import TOKENIZER
from gail_tf.data.tokenizer import Tokenizer
from glove.cost import Estimate
from keras_gca.engine.preparing_cost import WARM_UP, Read, first_pass

FITTED, TOKENS = 2000, 1000  # the utterances and the tokens of the tokenizer with which the encoding is measured
IMPORTS = 0.2e9  # bytes of each process, without TensorFlow (docs/performance.md)
OF_AN_UTTERANCE = 2000  # bytes: its text, its tokens, and copies of them


class Rates(NamedTuple):
    """What this machine needs for one chunk.

    Attributes:
        utterances: The number of utterances of the chunk.
        measuring: The seconds to correct the spelling and compute the sentiments.
        encoding: The seconds to write it as a shard.
    """

    utterances: int
    measuring: float
    encoding: float


def measure(folder: Path, conversations: Sequence[Conversation], turns: str, seed: int) -> Rates:
    """Measure the passes of a preparation on a chunk; the files that they write are removed.

    Args:
        folder: The folder in which files are written.
        conversations: See `write_chunk`.
        turns: See `write_chunk`.
        seed: See `write_chunk`.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        path = place / "chunk.npz"
        write_chunk(path, conversations[:WARM_UP], turns, seed)
        sentiment.cache_clear()  # it may contain the sentiments of this chunk
        times = [time.perf_counter()]
        facts = write_chunk(path, conversations, turns, seed)
        times.append(time.perf_counter())
        Tokenizer.fit(read_chunk(path).texts(FITTED), TOKENS).save(place / TOKENIZER)
        times.append(time.perf_counter())
        names = facts.emotions, facts.formats
        encode_shard(ShardTask(place, 0, [path], turns, Division(), *names, "uint16", place / "record.json"))
        times.append(time.perf_counter())
        return Rates(facts.utterances, times[1] - times[0], times[3] - times[2])


def estimate(
    rates: Rates, read: Read, processes: int, chunks: int, shards: int, of_shard: int, cores: int | None = None
) -> Estimate:
    """Estimate the cost of a preparation, without the fitting of the tokenizer.

    Args:
        rates: What this machine needs for the first chunk.
        read: How far the corpora were read then.
        processes: The number of processes that work at the same time.
        chunks: The number of chunks that an interrupted preparation has written.
        shards: The number of shards that it has written.
        of_shard: The number of utterances of a shard.
        cores: The number of cores of this machine, or None to ask the system.
    """
    cores = cores or os.cpu_count() or 1
    utterances = max(1, rates.utterances)
    measuring = rates.measuring * max(0.0, read.chunks - chunks)
    encoding = rates.encoding * max(0.0, read.chunks - shards * of_shard / utterances)
    seconds = {
        "reading_and_computing_sentiments": first_pass(read.whole, measuring, processes, cores),
        "writing_shards": encoding / min(processes, cores),
    }
    memory = processes * (IMPORTS + OF_AN_UTTERANCE * min(of_shard, utterances * read.chunks))
    machine = f"computes the sentiments of {utterances / rates.measuring:,.0f} utterances a second in each process"
    return Estimate(seconds, memory, machine)
