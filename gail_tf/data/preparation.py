"""Prepares any number of trajectories as token files, with bounded memory and several processes.

The first pass, which takes the longest, reads the corpora in chunks, corrects the spelling and computes sentiments
(`token_chunks.py`). Next, the conversations are divided into splits (`division.py`), and a tokenizer is fitted unless a
pretrained model has one. Finally, the tokenizer encodes the chunks as shards (`token_folder.py`). After an
interruption, run the command again: it reuses all chunks and shards already written. The results do not depend on the
number of processes. For small corpora, they are the same as those of a training run that reads corpora into memory.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data import token_chunks
from gail_tf.data.division import GENERAL_PART, NO_PART, Division, divide
from gail_tf.data.frames import forms_of
from gail_tf.data.general_text import without_experts
from gail_tf.data.layouts import END_OF_TEXT, KNOWN
from gail_tf.data.preparation_cost import Rates, estimate, measure
from gail_tf.data.samples import control_tokens
from gail_tf.data.token_chunks import GENERAL_TEXT, TWEETS, ChunkFacts, Read, ShardTask, encode_shard, write_chunk
from gail_tf.data.token_folder import PREPARED, TOKENIZER, TokenFolder
from gail_tf.data.token_shard import GENERAL, TEST, TRAIN, VALIDATION, ShardFacts
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import FRACTIONS, stream_tweets, too_few
from glove.cost import Estimate
from glove.text_files import BadLines
from keras_gca.data.conversations import EMBEDDED, PARTS, Conversation, opened
from keras_gca.engine import preparing, preparing_cost
from keras_gca.engine.chunking import FirstPass, Steps
from keras_gca.engine.processes import Processes
from keras_gca.errors import UserError
from keras_gca.storage.token_files import WORK, sha256_of

SHARD_UTTERANCES, SHARD_CHARACTERS = 2**17, 2**28  # a shard ends with the chunk that reaches one of these
MOST_HELD_OUT = 10_000  # trajectories in the test or validation split, for any size of the corpora
MOST_FITTED = 2**20  # utterances for fitting the tokenizer


class Corpora(NamedTuple):
    """The corpora to prepare.

    Attributes:
        data: The files or folders with conversations to read, in this order.
        tweets: Files with tweets.
        general: Files with general conversations for pretraining. If empty, the first paper's embedded corpus is used.
        format: The format of all files in `data` and `general`, or None to detect the format of each file.
        skip_bad_lines: Whether to skip bad lines.
    """

    data: Sequence[Path] = ()
    tweets: Sequence[Path] = ()
    general: Sequence[Path] = ()
    format: str | None = None
    skip_bad_lines: bool = False

    @property
    def paths(self) -> list[Path]:
        """All files and folders."""
        return [*self.data, *self.tweets, *self.general]


class Model(NamedTuple):
    """A pretrained model whose tokenizer encodes the text.

    Attributes:
        name: The name or path by which a training run finds the model.
        folder: The folder with the model's files.
    """

    name: str
    folder: Path


def prepare_folder(
    corpora: Corpora,
    config: GAILConfig,
    out: Path,
    bad: BadLines,
    model: Model | None = None,
    processes: int = 1,
    minutes: float | None = None,
) -> TokenFolder | None:
    """Prepare corpora as a folder of token files, or continue an interrupted preparation.

    Args:
        corpora: The corpora.
        config: The settings. Only those in `token_folder.PREPARED`, the seed and `pretraining_epochs` are used. The
            folder contains no general conversations if `pretraining_epochs` is 0 or `model` is given.
        out: The folder to create.
        bad: The `BadLines` object, which skips bad lines or raises an error.
        model: The pretrained model of the policy, or None to fit a tokenizer for a GPT-2 with random weights.
        processes: The number of parallel processes. If 1, this process does all the work.
        minutes: The time limit in minutes, or None for no limit. Time spent on chunks that an interrupted preparation
            has already written does not count.

    Returns:
        The folder, or None if time runs out before the folder is complete.

    Raises:
        UserError: A corpus or the model cannot be used, the folder contains something else, or a process ended early.
        OSError: The disk is full.
    """
    pretrains = model is None and config.likelihood.pretraining_epochs > 0
    plan = {
        "format": corpora.format,
        "skip_bad_lines": corpora.skip_bad_lines,
        "turns": config.data.turns,
        "splits": config.data.splits,
        "seed": config.seed,
        "general": pretrains,
    }

    def make(pool: Processes) -> TokenFolder:
        return _Preparation(corpora, config, out, bad, model, pretrains, pool).run()

    return preparing.prepare_in(out, corpora.paths, plan, make, token_chunks.ready, processes, minutes)


class _Preparation:
    """A preparation whose tasks run in `pool`; see `prepare_folder`."""

    def __init__(
        self,
        corpora: Corpora,
        config: GAILConfig,
        out: Path,
        bad: BadLines,
        model: Model | None,
        pretrains: bool,
        pool: Processes,
    ):
        self._corpora, self._config, self._out, self._bad = corpora, config, out, bad
        self._model, self._pretrains, self._pool = model, pretrains, pool

    def run(self) -> TokenFolder:
        steps = Steps(lambda read: read.utterances, self._submit_chunk, self._measure, self._estimate)
        facts = FirstPass(self._out, self._corpora.paths, self._bad, self._pool, steps).run(self._read())
        trajectories = sum(chunk.trajectories for chunk in facts)
        if not trajectories:
            if self._config.data.splits == "official":
                raise _left_for([TRAIN, TEST, VALIDATION])
            raise UserError("the corpora have no conversation of two or more utterances")
        work = [(number, chunk) for number, chunk in enumerate(facts) if chunk.utterances]
        chunks = [self._path(number) for number, _ in work]
        division = divide(lambda: self._places(chunks), fractions(trajectories))
        tokenizer = self._tokenizer(
            [(path, chunk.utterances) for path, (_, chunk) in zip(chunks, work, strict=True)], division
        )
        emotions, formats = (sorted({name for _, chunk in work for name in names(chunk)}) for names in _NAMES)
        dtype = "uint16" if len(tokenizer) <= 2**16 else "uint32"
        settings = self._config.to_values()
        index = {
            "settings": {name: settings[name] for name in (*PREPARED, "seed")},
            "source": self._source(),
            "model": None if self._model is None else self._model.name,
            "emotions": emotions,
            "formats": formats,
            "forms": len(forms_of(tokenizer.layout)),
            "dtype": dtype,
        }
        sums = [sha256_of(file) for file in sorted((self._out / TOKENIZER).iterdir())]
        sizes = SHARD_UTTERANCES, SHARD_CHARACTERS
        determined_by = preparing.remove_other_records(self._out, [index, sums, division, sizes])
        tasks = [
            ShardTask(
                self._out,
                number,
                [self._path(i) for i in group],
                self._config.data.turns,
                division,
                emotions,
                formats,
                dtype,
                preparing.record_path(self._out, number, determined_by),
            )
            for number, group in enumerate(
                preparing.grouped(((i, _weight(chunk)) for i, chunk in work), SHARD_UTTERANCES)
            )
        ]
        shards = list(self._pool.in_turn(map(self._submit_shard, tasks)))
        self._refuse_empty_part(shards, sum(chunk.conversations for chunk in facts))
        TokenFolder.write_index(self._out, index, shards)
        return TokenFolder.open(self._out)

    def _path(self, number: int) -> Path:
        return preparing.chunk_path(self._out, number)

    def _read(self) -> Iterator[Read]:
        """Read the general conversations, the experts' conversations and the tweets, in this order."""
        splits, format = self._config.data.splits, self._corpora.format
        if self._pretrains and not self._corpora.general:
            with resources.as_file(resources.files("keras_gca.data") / "corpus") as folder:
                yield from self._conversations(folder, "text", "random", is_general=True, keep=without_experts)
        for path in self._corpora.general if self._pretrains else ():
            yield from self._conversations(path, format, "random", is_general=True)
        for path in self._corpora.data:
            yield from self._conversations(path, format, splits)
        for path in self._corpora.tweets:
            for tweet in stream_tweets(path, self._bad):
                yield Read((tweet, tweet), (None, None), TWEETS, NO_PART)

    def _conversations(
        self,
        path: Path,
        format: str | None,
        splits: str,
        is_general: bool = False,
        keep: Callable[[Iterable[Conversation]], Iterable[Conversation]] = iter,
    ) -> Iterator[Read]:
        with opened(path, format, self._bad, splits) as (found, conversations):
            for each in keep(conversations):
                part = GENERAL_PART if is_general else NO_PART if each.part is None else PARTS.index(each.part)
                yield Read(each.utterances, _emotions(each), GENERAL_TEXT if is_general else found, part)

    def _submit_chunk(self, number: int, conversations: list[Read]) -> "Future[ChunkFacts]":
        """Submit the task that writes a chunk. A chunk that is already written is not computed again."""
        path, turns = self._path(number), self._config.data.turns
        if path.exists():
            return self._pool.submit(token_chunks.facts_of, path, turns, is_new=False)
        return self._pool.submit(write_chunk, path, conversations, turns, self._config.seed)

    def _submit_shard(self, task: ShardTask) -> "Future[ShardFacts]":
        if task.is_done:
            return self._pool.submit(token_chunks.encoded_shard, task, is_new=False)
        return self._pool.submit(encode_shard, task)

    def _measure(self, conversations: list[Read]) -> "Future[Rates]":
        how = self._config.data.turns, self._config.seed
        return self._pool.submit(measure, self._out / WORK, conversations, *how, is_new=False)

    def _estimate(self, rates: Rates, read: preparing_cost.Read, processes: int, chunks: int, shards: int) -> Estimate:
        return estimate(rates, read, processes, chunks, shards, SHARD_UTTERANCES)

    def _places(self, chunks: Sequence[Path]) -> Iterator[np.ndarray]:
        """Yield the places of the conversations to divide, one array per chunk."""
        for path in chunks:
            chunk = token_chunks.read_chunk(path)
            yield chunk.places[chunk.parts == NO_PART]

    def _tokenizer(self, chunks: Sequence[tuple[Path, int]], division: Division) -> Tokenizer:
        """Read the model's tokenizer, or fit a tokenizer to the training text, and write it to the folder."""
        settings, controls = self._config.data, control_tokens(self._config.data)
        if self._model is not None:
            tokenizer = Tokenizer.read(self._model.folder, controls, settings.layout)
        else:
            layout = KNOWN.get(settings.layout, END_OF_TEXT)
            texts = training_text(chunks, division, MOST_FITTED)
            tokenizer = Tokenizer.fit(texts, self._config.model.vocabulary_size, controls, layout)
        shutil.rmtree(self._out / TOKENIZER, ignore_errors=True)
        tokenizer.save(self._out / TOKENIZER)
        return tokenizer

    def _refuse_empty_part(self, shards: Sequence[ShardFacts], divided: int) -> None:
        empty = [part for part in (TRAIN, TEST, VALIDATION) if not sum(facts.count(part) for facts in shards)]
        if empty:
            raise _left_for(empty) if self._config.data.splits == "official" else too_few(divided)

    def _source(self) -> dict[str, Any]:
        named = {name: [str(path) for path in getattr(self._corpora, name)] for name in ("data", "tweets", "general")}
        if self._pretrains and not self._corpora.general:
            named["general"] = [EMBEDDED]
        skipped = {"skipped_lines": dict(self._bad.counts)} if self._bad.counts else {}
        return {**named, **skipped}


def _left_for(parts: Sequence[int]) -> UserError:
    """Return the UserError for empty official splits."""
    names = {TRAIN: "train", TEST: "test", VALIDATION: "validation"}
    return UserError(f"--splits official: no trajectories are left for {' and '.join(names[part] for part in parts)}")


def fractions(trajectories: int) -> tuple[float, float, float]:
    """Return the paper's fractions for training, test and validation; the last two are limited by MOST_HELD_OUT.

    Args:
        trajectories: The total number of trajectories.
    """
    _, test, validation = (min(share, MOST_HELD_OUT / trajectories) for share in FRACTIONS)
    return FRACTIONS if (test, validation) == FRACTIONS[1:] else (1 - test - validation, test, validation)


def training_text(chunks: Sequence[tuple[Path, int]], division: Division, most: int) -> Iterator[str]:
    """Yield the utterances of general and training conversations, evenly spread if there are more than `most`.

    Args:
        chunks: The path of each chunk, and the number of its utterances.
        division: The division of the conversations into splits.
        most: The approximate maximum number of utterances to yield.
    """
    total = sum(count for _, count in chunks)
    for path, _ in chunks:
        chunk = token_chunks.read_chunk(path)
        parts = np.repeat(division.parts(chunk.parts, chunk.places), chunk.sizes)
        share = min(1.0, most / total)
        for number, (text, part) in enumerate(zip(chunk.texts(), parts.tolist(), strict=True)):
            if part in (GENERAL, TRAIN) and int((number + 1) * share) > int(number * share):
                yield text


_NAMES: tuple[Callable[[ChunkFacts], list[str]], ...] = (lambda chunk: chunk.emotions, lambda chunk: chunk.formats)


def _weight(chunk: ChunkFacts) -> int:
    """Return the size of a chunk, in utterances or equivalent text. A shard ends at a total of SHARD_UTTERANCES."""
    return max(chunk.utterances, chunk.characters * SHARD_UTTERANCES // SHARD_CHARACTERS)


def _emotions(conversation: Conversation) -> tuple[str | None, ...]:
    return conversation.emotions or (conversation.emotion,) * len(conversation.utterances)
