"""Reads corpora in chunks, with one task per chunk: the first pass of a preparation (`preparing.py`)."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from glove.cost import Estimate
from glove.text_files import BadLines
from keras_gca.engine import preparing, reporting
from keras_gca.engine.preparing_cost import MEASURED_FROM, Read
from keras_gca.engine.processes import Processes

CHUNK_UTTERANCES, CHUNK_CHARACTERS = 2**15, 2**25  # a chunk ends with the conversation that reaches one of these
REPORT_EVERY = 2**20  # utterances

Conversation = TypeVar("Conversation")
Facts = TypeVar("Facts")
Rates = TypeVar("Rates")


@dataclass(frozen=True)
class Steps(Generic[Conversation, Facts, Rates]):
    """What a preparation does with the conversations that it reads.

    Attributes:
        utterances: A function that returns the utterances of a conversation.
        write: A function that takes a chunk's number and conversations, submits the task that writes the chunk, and
            returns the task. Its result describes the chunk.
        measure: A function that submits the task of measuring how long each pass takes for a chunk, given as its
            conversations.
        estimate: A function that estimates the cost of the preparation. Its arguments are the result of `measure`, how
            much has been read when the first chunk is complete, and the numbers of processes, of written chunks and of
            written shards.
    """

    utterances: Callable[[Conversation], Sequence[str]]
    write: Callable[[int, list[Conversation]], "Future[Facts]"]
    measure: Callable[[list[Conversation]], "Future[Rates]"]
    estimate: Callable[[Rates, Read, int, int, int], Estimate]


class FirstPass(Generic[Conversation, Facts, Rates]):
    """The first pass of a preparation. If it will take long, an estimate is printed after the first chunk.

    Args:
        out: The folder to create.
        corpora: The files or folders to read.
        bad: The `BadLines` object with which the corpora are read.
        pool: The processes that run the tasks.
        steps: What is done with the conversations.
    """

    def __init__(
        self,
        out: Path,
        corpora: Sequence[Path],
        bad: BadLines,
        pool: Processes,
        steps: Steps[Conversation, Facts, Rates],
    ):
        self._out, self._corpora, self._bad, self._pool, self._steps = out, corpora, bad, pool, steps
        # How far the corpora were read when their first chunk was complete, and the measurement of this chunk.
        self._measuring: tuple[Read, Future[Rates]] | None = None

    def run(self, conversations: Iterable[Conversation]) -> list[Facts]:
        """Read all conversations, and return the results of the tasks, one per chunk.

        Args:
            conversations: The conversations, which are read one by one.
        """
        facts = []
        for of_chunk in self._pool.in_turn(self._chunks(conversations)):
            facts.append(of_chunk)
            self._say_cost()
        reporting.say(*self._bad.notes)
        if self._bad.counts:
            reporting.say(self._bad.summary())
        return facts

    def _chunks(self, conversations: Iterable[Conversation]) -> Iterator["Future[Facts]"]:
        some: list[Conversation] = []
        number, utterances, characters, said = 0, 0, 0, 0
        began, before = time.perf_counter(), self._bad.bytes_read
        for conversation in conversations:
            some.append(conversation)
            texts = self._steps.utterances(conversation)
            utterances += len(texts)
            characters += sum(map(len, texts))
            if utterances >= CHUNK_UTTERANCES or characters >= CHUNK_CHARACTERS:
                if number == 0:
                    self._begin_measuring(some, time.perf_counter() - began, self._bad.bytes_read - before)
                yield self._steps.write(number, some)
                said += utterances
                if said // REPORT_EVERY > (said - utterances) // REPORT_EVERY:
                    reporting.say(f"read {said:,} utterances")
                some, number, utterances, characters = [], number + 1, 0, 0
        if some:
            yield self._steps.write(number, some)

    def _begin_measuring(self, first: list[Conversation], seconds: float, lines: int) -> None:
        """Start measuring the first chunk for the cost estimate, unless the corpora have only a few chunks."""
        text = sum(len(each.encode()) + 1 for conversation in first for each in self._steps.utterances(conversation))
        files = sum(file.stat().st_size for file in preparing.files_of(self._corpora, self._out))
        read = Read(seconds, lines, text, files)
        if read.chunks >= MEASURED_FROM and not reporting.is_quiet():
            self._measuring = read, self._steps.measure(first)

    def _say_cost(self) -> None:
        """Print the cost estimate once the first chunk has been measured, if the preparation will take a long time."""
        if self._measuring is None or not self._measuring[1].done():
            return
        read, rates = self._measuring[0], self._measuring[1].result()
        self._measuring = None
        written = preparing.chunks_of(self._out), len(preparing.records(self._out))
        reporting.say_cost(self._steps.estimate(rates, read, self._pool.count, *written))
