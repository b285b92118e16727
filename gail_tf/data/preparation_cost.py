"""Estimates the cost of preparing trajectories by measuring each pass on the first chunk."""

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

FITTED, TOKENS = 2000, 1000  # utterances and vocabulary size for the tokenizer with which encoding is measured
IMPORTS = 0.2e9  # bytes of each process without TensorFlow (docs/performance.md)
OF_AN_UTTERANCE = 2000  # bytes: its text, its tokens, and copies of them


class Rates(NamedTuple):
    """The size of one chunk, and the time that this machine needs for it.

    Attributes:
        utterances: The number of utterances in the chunk.
        measuring: The time to correct the spelling and compute the sentiments, in seconds.
        encoding: The time to write the chunk as a shard, in seconds.
    """

    utterances: int
    measuring: float
    encoding: float


def measure(folder: Path, conversations: Sequence[Conversation], turns: str, seed: int) -> Rates:
    """Measure how long each pass of a preparation takes for a chunk, and remove the files that the passes write.

    Args:
        folder: The folder in which the passes write their files.
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
    """Estimate the cost of a preparation, not including the time for fitting a tokenizer.

    Args:
        rates: The measurements of the first chunk.
        read: How much of the corpora had been read when the first chunk was complete.
        processes: The number of parallel processes.
        chunks: The number of chunks already written by an interrupted preparation.
        shards: The number of shards already written by the interrupted preparation.
        of_shard: The number of utterances in a shard.
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
    machine = f"computes the sentiments of {utterances / rates.measuring:,.0f} utterances per second in each process"
    return Estimate(seconds, memory, machine)
