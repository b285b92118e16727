"""The model's batches, shared by all who chat: messages that come while the model works are answered together.

One thread asks the model. It takes what waits, the oldest first, so under load the batches grow and nobody waits for a
row of their own; without load a message is answered at once and alone.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from glove.text_files import counted
from keras_gca.serving.protocol import Answer, Chatting

BATCH_SIZES = 1, 4, 16  # few, because XLA compiles for each; a batch is filled up to the next one with copies
WAITING = 64  # messages that may wait
CLOSED = "The chat is being closed."
PATIENCE = 30.0  # seconds after which a message is given up


class BusyError(Exception):
    """A message is not answered because there are too many; says so in a sentence."""


class _Message(NamedTuple):
    history: Sequence[str]
    seed: int
    answers: Future[list[Answer]]


class SharedBatches:
    """Answers conversations with an agent, from any number of threads at the same time.

    context_utterances, decoding: see `Chatting.answers_to_all`. waiting: how many messages may wait. patience: seconds
    after which one is given up; it is then not answered late, in the place of others.
    """

    def __init__(
        self,
        agent: Chatting,
        decoding: Any,
        context_utterances: int | None = None,
        waiting: int = WAITING,
        patience: float = PATIENCE,
    ):
        self.agent, self._decoding, self._context_utterances = agent, decoding, context_utterances
        self.patience = patience
        self._most, self._waiting = waiting, deque[_Message]()
        self._worker = ThreadPoolExecutor(1, "model")
        self._lock, self._closed = threading.Lock(), False
        self._sizes: list[int] = [0] * BATCH_SIZES[-1]

    def answers(self, history: Sequence[str], seed: int) -> list[Answer]:
        """What `Chatting.answers` gives. Raises BusyError where too many wait, or this one has waited too long."""
        message = _Message(history, seed, Future())
        with self._lock:
            if self._closed:
                raise BusyError(CLOSED)
            if len(self._waiting) >= self._most:
                raise BusyError("Too many people are chatting just now. Please send that again in a moment.")
            self._waiting.append(message)
            self._worker.submit(self._answer_those_waiting)
        try:
            return message.answers.result(self.patience)
        except TimeoutError:
            with self._lock, contextlib.suppress(ValueError):  # unless the model is about it
                self._waiting.remove(message)
            raise BusyError("The answer took too long, and was given up. Please send that again.") from None

    def warm_up(self) -> None:
        """Have batches of all sizes compiled, before anybody waits; seconds. Longer conversations may be others."""
        for size in BATCH_SIZES:
            self._worker.submit(self._ask, [["Hello."]] * size, [1] * size).result()

    def close(self) -> None:
        """Answer no more, and give up all who wait but those whom the model is answering."""
        with self._lock:
            self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)
        for message in self._take(self._most):
            message.answers.set_exception(BusyError(CLOSED))

    @property
    def summary(self) -> str:
        """How many messages were answered, and in what batches."""
        with self._lock:
            sizes = list(self._sizes)
        batches, messages = sum(sizes), sum(size * count for size, count in enumerate(sizes, start=1))
        if not batches:
            return "no messages were answered"
        largest = max(size for size, count in enumerate(sizes, start=1) if count)
        mean = messages / batches
        answered = f"{counted(messages, 'message was', 'messages were')} answered"
        return f"{answered} in {counted(batches, 'batch', 'batches')}, of {mean:.2f} on average, {largest} at most"

    def _answer_those_waiting(self) -> None:
        """Answer one batch of those that wait; nothing waits where an earlier call has taken them along."""
        messages = self._take(BATCH_SIZES[-1])
        if not messages:
            return
        try:
            found = self._ask([each.history for each in messages], [each.seed for each in messages])
        except Exception as error:  # each of those who wait raises it
            for each in messages:
                each.answers.set_exception(error)
            return
        with self._lock:
            self._sizes[len(messages) - 1] += 1
        for each, answers in zip(messages, found, strict=True):
            each.answers.set_result(answers)

    def _ask(self, histories: list[Sequence[str]], seeds: list[int]) -> list[list[Answer]]:
        count = len(histories)
        free = next(size for size in BATCH_SIZES if size >= count) - count
        histories, seeds = histories + histories[:1] * free, seeds + seeds[:1] * free
        return self.agent.answers_to_all(histories, self._context_utterances, self._decoding, seeds)[:count]

    def _take(self, count: int) -> list[_Message]:
        """At most so many of the messages that wait, the oldest first."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
