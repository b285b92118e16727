"""Prepares a corpus of any size as token files, with bounded memory and several processes.

The first pass, which takes the longest, reads the corpus and tokenises it in chunks (`token_chunks.py`). Next, the
held-out conversations are drawn and the words of the training text are counted. Finally, the vocabulary is used to
encode the chunks as shards (`token_folder.py`). After an interruption, run the command again: it reuses all chunks and
shards already written. The results do not depend on the number of processes. For a small corpus, the results are the
same as those of `dataset.prepare`.
"""

import collections
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np

from glove.text_files import BadLines
from keras_gca.config import Config
from keras_gca.data.conversations import PARTS, stream_conversations
from keras_gca.data.held_out import drawn_to_hold_out, is_divisible, refuse_too_few
from keras_gca.data.preparation_cost import MEASURED_FROM, Rates, Read, estimate, measure
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
from keras_gca.data.token_folder import INDEX, PREPARED, WORK, ShardFacts, TokenFolder
from keras_gca.data.vocabulary import SPECIAL_TOKENS, Vocabulary, most_frequent
from keras_gca.data.vocabulary_choice import chosen_vocabulary
from keras_gca.data.word_counts import WordCounts
from keras_gca.engine import reporting
from keras_gca.engine.processes import Processes, TimeOverError
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

CHUNK_UTTERANCES, CHUNK_CHARACTERS = 2**15, 2**25  # a chunk ends with the conversation that reaches one of these
SHARD_PAIRS = 2**19  # a shard ends with the chunk that reaches this number
MOST_HELD_OUT = 20_000  # pairs, so that the validation does not grow with the corpus
REPORT_EVERY = 2**20  # utterances


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
    if (out / INDEX).exists():
        raise UserError(
            f"{out}: this folder is already complete; give a new folder, or train on this one with --data {out}"
        )
    if out.exists() and (not out.is_dir() or ((others := os.listdir(out)) and WORK not in others)):
        raise UserError(f"{out}: this is not an empty folder; give a new folder")
    if config.splits == "official" and "validation_fraction" in config.given:
        raise UserError("--validation-fraction has no effect with --splits official; leave out one of the two")
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(work / ".lock", blocking=False):
            _refuse_other_plan(work, corpora, config)
            with Processes(processes, import_tensorflow, minutes) as pool:
                made = _Preparation(corpora, config, out, bad, words, pool).run()
    except TimeOverError:
        return None
    except filelock.Timeout:
        raise UserError(f"{out}: another process is preparing this folder; wait until it has finished") from None
    except BrokenProcessPool:
        raise UserError(
            f"{out}: one of the processes ended unexpectedly, perhaps because memory ran out; repeat the command "
            "with fewer --processes to continue"
        ) from None
    shutil.rmtree(work)
    return made


def _refuse_other_plan(work: Path, corpora: Corpora, config: Config) -> None:
    """Store the files and options of a preparation. Raise an error if those of an interrupted preparation differ."""
    states = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in _files(corpora)]
    plan = {
        "files": [list(state) for state in states],
        "format": corpora.format,
        "skip_bad_lines": corpora.skip_bad_lines,
        "contractions": config.contractions,
        "splits": config.splits,
    }
    path = work / "plan.json"
    if not path.exists():
        write_text(path, json.dumps(plan))
    elif json_files.read(path) != plan:
        raise UserError(
            f"{work.parent}: an interrupted preparation of this folder used other files or options; repeat its "
            "command, or give a new folder"
        )


def _files(corpora: Corpora) -> list[Path]:
    return [file for path in corpora.paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]


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
        # How far the corpora were read when their first chunk was complete, and the measurement of this chunk.
        self._measuring: tuple[Read, Future[Rates]] | None = None

    def run(self) -> TokenFolder:
        facts = []
        for chunk_facts in self._pool.in_turn(self._tokenise()):
            facts.append(chunk_facts)
            self._say_cost()
        reporting.say(*self._bad.notes)
        if self._bad.counts:
            reporting.say(self._bad.summary())
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
        determined_by = self._remove_other_records([chosen, dtype, settings, SHARD_PAIRS, MOST_HELD_OUT])
        tasks = [
            ShardTask(
                self._out,
                number,
                [self._path(i) for i in chunks],
                [held_out[i] for i in chunks],
                whole,
                dtype,
                self._out / WORK / f"shard-{number:05d}-{determined_by}.json",
            )
            for number, chunks in enumerate(_grouped(work))
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
        return self._out / WORK / f"chunk-{number:06d}.npz"

    def _tokenise(self) -> Iterator["Future[ChunkFacts]"]:
        """Read the corpora, and submit one task per chunk. Chunks that are already written are not tokenised again."""
        conversations: list[tuple[str, ...]] = []
        parts: list[int] = []
        number, utterances, characters, said = 0, 0, 0, 0
        began, before = time.perf_counter(), self._bad.bytes_read
        for path in self._corpora.paths:
            for conversation in stream_conversations(path, self._corpora.format, self._bad, self._config.splits):
                conversations.append(conversation.utterances)
                parts.append(PARTS.index(conversation.part) if conversation.part else NO_PART)
                utterances += len(conversation.utterances)
                characters += sum(map(len, conversation.utterances))
                if utterances >= CHUNK_UTTERANCES or characters >= CHUNK_CHARACTERS:
                    if number == 0:
                        seconds, lines = time.perf_counter() - began, self._bad.bytes_read - before
                        self._begin_measuring(conversations, parts, seconds, lines)
                    yield self._submit(number, conversations, parts)
                    said += utterances
                    if said // REPORT_EVERY > (said - utterances) // REPORT_EVERY:
                        reporting.say(f"read {said:,} utterances")
                    conversations, parts, number, utterances, characters = [], [], number + 1, 0, 0
        if conversations:
            yield self._submit(number, conversations, parts)

    def _submit(self, number: int, conversations: list[tuple[str, ...]], parts: list[int]) -> "Future[ChunkFacts]":
        path = self._path(number)
        if path.exists():
            return self._pool.submit(facts_of, path, is_new=False)
        return self._pool.submit(tokenise_chunk, path, conversations, parts, self._config.contractions)

    def _submit_shard(self, task: ShardTask, words: Sequence[str]) -> "Future[tuple[ShardFacts, Spellings]]":
        if task.is_done:
            return self._pool.submit(encoded_shard, task, is_new=False)
        return self._pool.submit(encode_shard, task, words)

    def _remove_other_records(self, determined_by: list[Any]) -> str:
        """Remove the records of shards that an interrupted preparation made with another vocabulary or other settings.

        Args:
            determined_by: Everything that determines the shards, except the chunks.

        Returns:
            A short checksum of `determined_by`, which is part of the names of the records.
        """
        name = hashlib.sha256(json.dumps(determined_by).encode()).hexdigest()[:16]
        for record in self._records():
            if not record.stem.endswith(name):
                record.unlink()
        return name

    def _records(self) -> list[Path]:
        return list((self._out / WORK).glob("shard-*.json"))

    def _begin_measuring(
        self, conversations: list[tuple[str, ...]], parts: list[int], seconds: float, lines: int
    ) -> None:
        """Start measuring the first chunk for the cost estimate, unless the corpora have only a few chunks."""
        text = sum(len(text.encode()) + 1 for conversation in conversations for text in conversation)
        read = Read(seconds, lines, text, sum(file.stat().st_size for file in _files(self._corpora)))
        if read.chunks >= MEASURED_FROM and not reporting.is_quiet():
            style, size = self._config.contractions, self._config.vocabulary_size
            task = self._pool.submit(measure, self._out / WORK, conversations, parts, style, size, is_new=False)
            self._measuring = read, task

    def _say_cost(self) -> None:
        """Print the cost estimate once the first chunk has been measured, if the preparation will take a long time."""
        if self._measuring is None or not self._measuring[1].done():
            return
        read, rates = self._measuring[0], self._measuring[1].result()
        self._measuring = None
        chunks, shards = len(list((self._out / WORK).glob("chunk-*.npz"))), len(self._records())
        reporting.say_cost(estimate(rates, read, self._pool.count, chunks, shards, SHARD_PAIRS))

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


def _grouped(chunks: Sequence[tuple[int, ChunkFacts]]) -> Iterator[list[int]]:
    """Group consecutive chunks, given as (number, sizes), into shards, and yield each shard's chunk numbers."""
    group: list[int] = []
    pairs = 0
    for number, facts in chunks:
        group.append(number)
        pairs += facts.pairs
        if pairs >= SHARD_PAIRS:
            yield group
            group, pairs = [], 0
    if group:
        yield group
