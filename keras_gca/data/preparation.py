"""Prepares a corpus of any size as token files, with bounded memory and several processes.

The first pass, which takes the longest, reads the corpus and tokenises it in chunks (`token_chunks.py`). Next, the
held-out conversations are drawn and the words of the training text are counted. Finally, the vocabulary is used to
encode the chunks as shards (`token_folder.py`). After an interruption, run the command again: it reuses all chunks and
shards already written. The results do not depend on the number of processes. For a small corpus, the results are the
same as those of `dataset.prepare`.
"""

import collections
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glove.cost import Estimate
from glove.text_files import BadLines
from keras_gca.config import Config
from keras_gca.data.conversations import PARTS, stream_conversations
from keras_gca.data.held_out import drawn_to_hold_out, is_divisible, refuse_too_few
from keras_gca.data.preparation_cost import Rates, estimate, measure
from keras_gca.data.token_chunks import (
    NO_PART,
    ChunkFacts,
    ShardTask,
    Spellings,
    count_chunk,
    encode_shard,
    encoded_shard,
    facts_of,
    import_tensorflow,
    tokenise_chunk,
)
from keras_gca.data.token_folder import PREPARED, ShardFacts, TokenFolder
from keras_gca.data.vocabulary import SPECIAL_TOKENS, Vocabulary, most_frequent
from keras_gca.data.vocabulary_choice import chosen_vocabulary
from keras_gca.data.word_counts import WordCounts
from keras_gca.engine import preparing
from keras_gca.engine.chunking import FirstPass, Steps
from keras_gca.engine.preparing_cost import Read
from keras_gca.engine.processes import Processes
from keras_gca.errors import UserError
from keras_gca.storage.token_files import WORK

SHARD_PAIRS = 2**19  # a shard ends with the chunk that reaches this number
MOST_HELD_OUT = 20_000  # pairs, so that the validation does not grow with the corpus


class Corpora(NamedTuple):
    """The corpora to prepare.

    Attributes:
        paths: The files or folders to read, in this order.
        format: One of `conversations.FORMATS`, or None to detect the format of each corpus.
        vocabulary: The file with the words of the vocabulary, or None.
        skip_bad_lines: Whether to skip bad lines.
    """

    paths: Sequence[Path]
    format: str | None = None
    vocabulary: Path | None = None
    skip_bad_lines: bool = False


def prepare_folder(
    corpora: Corpora,
    config: Config,
    out: Path,
    bad: BadLines,
    words: Sequence[str] | None = None,
    processes: int = 1,
    minutes: float | None = None,
) -> TokenFolder | None:
    """Prepare corpora as a folder of token files, or continue an interrupted preparation.

    Args:
        corpora: The corpora.
        config: The settings. Only those in `token_folder.PREPARED` and the seed for holding out pairs are used.
        out: The folder to create.
        bad: The `BadLines` object, which skips bad lines or raises an error.
        words: The words of the vocabulary in order, or None for the most frequent words in the training text.
        processes: The number of parallel processes. If 1, this process does all the work.
        minutes: The time limit in minutes, or None for no limit. Time spent on chunks that an interrupted preparation
            has already written does not count.

    Returns:
        The folder, or None if time runs out before the folder is complete.

    Raises:
        UserError: A corpus cannot be used, the folder contains something else, or a process ended unexpectedly.
        OSError: The disk is full.
    """
    if config.splits == "official" and "validation_fraction" in config.given:
        raise UserError("--validation-fraction has no effect with --splits official; leave out one of the two")
    plan = {
        "format": corpora.format,
        "skip_bad_lines": corpora.skip_bad_lines,
        "contractions": config.contractions,
        "splits": config.splits,
    }

    def make(pool: Processes) -> TokenFolder:
        return _Preparation(corpora, config, out, bad, words, pool).run()

    return preparing.prepare_in(out, corpora.paths, plan, make, import_tensorflow, processes, minutes)


class _Read(NamedTuple):
    """A conversation that has been read, and its official split as an index into PARTS, or NO_PART."""

    utterances: tuple[str, ...]
    part: int


class _Preparation:
    """A preparation whose tasks run in `pool`; see `prepare_folder`."""

    def __init__(
        self,
        corpora: Corpora,
        config: Config,
        out: Path,
        bad: BadLines,
        words: Sequence[str] | None,
        pool: Processes,
    ):
        self._corpora, self._config, self._out, self._bad = corpora, config, out, bad
        self._words, self._pool = words, pool

    def run(self) -> TokenFolder:
        steps = Steps(lambda read: read.utterances, self._submit, self._measure, self._estimate)
        facts = FirstPass(self._out, self._corpora.paths, self._bad, self._pool, steps).run(self._read())
        pairs = sum(chunk.pairs for chunk in facts)
        refuse_too_few(pairs)
        held_out, whole = self._hold_out(facts)
        work = [(number, chunk) for number, chunk in enumerate(facts) if chunk.pairs]
        counts = WordCounts(self._out / WORK)
        for words, numbers in self._pool.in_turn(
            self._pool.submit(count_chunk, self._path(number), held_out[number], whole, is_new=False)
            for number, _ in work
        ):
            counts.add(words, numbers.tolist())
        vocabulary = chosen_vocabulary(lambda least: self._build(counts, least), self._config, self._words is not None)
        dtype = "uint16" if len(vocabulary) <= 2**16 else "uint32"
        chosen = vocabulary.tokens[len(SPECIAL_TOKENS) :]
        values = self._config.to_values()
        settings = {name: values[name] for name in (*PREPARED, "seed")}
        determined_by = preparing.remove_other_records(self._out, [chosen, dtype, settings, SHARD_PAIRS, MOST_HELD_OUT])
        groups = preparing.grouped(((number, chunk.pairs) for number, chunk in work), SHARD_PAIRS)
        tasks = [
            ShardTask(
                self._out,
                number,
                [self._path(i) for i in chunks],
                [held_out[i] for i in chunks],
                whole,
                dtype,
                preparing.record_path(self._out, number, determined_by),
            )
            for number, chunks in enumerate(groups)
        ]
        shards, seen = [], collections.defaultdict[str, collections.Counter[str]](collections.Counter)
        for shard, spellings in self._pool.in_turn(self._submit_shard(task, chosen) for task in tasks):
            shards.append(shard)
            for word, forms in spellings.items():
                seen[word].update(forms)
        counted_words = [vocabulary.counts[word] for word in chosen]
        spelled = most_frequent(seen)
        surfaces = {word: spelled[word] for word in chosen if word in spelled}
        index = {
            "settings": settings,
            "source": self._source(),
            "whole_conversations": whole or self._config.splits == "official",
            "dtype": dtype,
            "shards": shards,
        }
        TokenFolder.write_index(self._out, Vocabulary(chosen, counted_words, surfaces), index)
        return TokenFolder.open(self._out)

    def _path(self, number: int) -> Path:
        return preparing.chunk_path(self._out, number)

    def _read(self) -> Iterator[_Read]:
        for path in self._corpora.paths:
            for conversation in stream_conversations(path, self._corpora.format, self._bad, self._config.splits):
                part = PARTS.index(conversation.part) if conversation.part else NO_PART
                yield _Read(conversation.utterances, part)

    def _submit(self, number: int, some: Sequence[_Read]) -> "Future[ChunkFacts]":
        """Submit the task that tokenises a chunk. A chunk that is already written is not tokenised again."""
        path = self._path(number)
        if path.exists():
            return self._pool.submit(facts_of, path, is_new=False)
        return self._pool.submit(tokenise_chunk, path, *zip(*some, strict=True), self._config.contractions)

    def _measure(self, some: Sequence[_Read]) -> "Future[Rates]":
        choices = self._config.contractions, self._config.vocabulary_size
        return self._pool.submit(measure, self._out / WORK, *zip(*some, strict=True), *choices, is_new=False)

    def _estimate(self, rates: Rates, read: Read, processes: int, chunks: int, shards: int) -> Estimate:
        return estimate(rates, read, processes, chunks, shards, SHARD_PAIRS)

    def _submit_shard(self, task: ShardTask, words: Sequence[str]) -> "Future[tuple[ShardFacts, Spellings]]":
        if task.is_done:
            return self._pool.submit(encoded_shard, task, is_new=False)
        return self._pool.submit(encode_shard, task, words)

    def _hold_out(self, facts: Sequence[ChunkFacts]) -> tuple[list[np.ndarray | None], bool]:
        """Draw the conversations or pairs to hold out.

        Returns:
            Two values: the indices of the drawn conversations or pairs in each chunk, or None if the corpus has its own
            splits; and whether whole conversations were drawn.
        """
        pairs = sum(chunk.pairs for chunk in facts)
        if self._config.splits == "official":
            in_parts = np.sum([chunk.in_parts for chunk in facts], axis=0)
            if empty := [part for part, count in zip(PARTS, in_parts, strict=True) if not count]:
                raise UserError(f"--splits official: the corpus has no context/answer pair for {' and '.join(empty)}")
            return [None] * len(facts), True
        conversations = sum(chunk.conversations for chunk in facts)
        whole = is_divisible(conversations, pairs, max(chunk.longest for chunk in facts))
        units = conversations if whole else pairs
        most = max(1, MOST_HELD_OUT * units // pairs)
        drawn = np.sort(drawn_to_hold_out(units, self._config.validation_fraction, self._config.seed, most))
        begins = np.cumsum([0, *(chunk.conversations if whole else chunk.pairs for chunk in facts)])
        places = np.searchsorted(drawn, begins)
        return [drawn[places[i] : places[i + 1]] - begins[i] for i in range(len(facts))], whole

    def _build(self, counts: WordCounts, minimum_count: int) -> Vocabulary:
        size, period_first = self._config.vocabulary_size, self._config.padding == "original"
        return Vocabulary.of_counts(counts.items(), size, minimum_count, None, period_first, self._words)

    def _source(self) -> dict[str, Any]:
        names = [str(path) for path in self._corpora.paths]
        words = str(self._corpora.vocabulary or "from the training text")
        skipped = {"skipped_lines": dict(self._bad.counts)} if self._bad.counts else {}
        return {"data": ", ".join(names), "vocabulary": words, **skipped}
