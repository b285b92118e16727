"""Answers the messages of all visitors in shared batches.

A single thread calls the model, and answers the waiting messages in batches, oldest first. The more messages are
waiting, the larger the batches. If only one message is waiting, it is answered at once, in a batch of its own.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from glove.text_files import counted
from keras_gca.serving.protocol import Answer, Chatting

BATCH_SIZES = 1, 4, 16  # few sizes, because XLA compiles a program for each; batches are filled up with copies
WAITING = 64  # the maximum number of waiting messages
CLOSED = "The chat is being closed."
PATIENCE = 30.0  # the number of seconds after which a message is given up


class BusyError(Exception):
    """Raised if a message cannot be answered in time, because too many are waiting or the chat is being closed."""


class _Message(NamedTuple):
    history: Sequence[str]
    seed: int
    decoding: Any
    answers: Future[list[Answer]]


class SharedBatches:
    """An agent that answers conversations in batches; any number of threads may call it at the same time.

    Args:
        agent: The agent.
        decoding: The usual decoding; see `Chatting.answers_to_all`. A message may request another decoding.
        context_utterances: See `Chatting.answers_to_all`.
        waiting: The maximum number of waiting messages.
        patience: The number of seconds after which a waiting message is dropped to avoid delaying other messages.
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

    def answers(self, history: Sequence[str], seed: int, decoding: Any = None) -> list[Answer]:
        """Answer a conversation as `Chatting.answers` does.

        Args:
            history: The utterances so far. The last one is answered.
            seed: The seed for sampling.
            decoding: How answers are generated, or None for the usual decoding. Messages with different decodings are
                answered in different batches.

        Raises:
            BusyError: Too many messages are waiting, this message has waited too long, or the chat is being closed.
        """
        message = _Message(history, seed, self._decoding if decoding is None else decoding, Future())
        with self._lock:
            if self._closed:
                raise BusyError(CLOSED)
            if len(self._waiting) >= self._most:
                raise BusyError("Too many people are chatting right now. Please send your message again in a moment.")
            self._waiting.append(message)
            self._worker.submit(self._answer_those_waiting)
        try:
            return message.answers.result(self.patience)
        except TimeoutError:
            with self._lock, contextlib.suppress(ValueError):  # raised if the model is already answering the message
                self._waiting.remove(message)
            raise BusyError("The answer took too long and was stopped. Please send your message again.") from None

    def warm_up(self) -> Future[None]:
        """Compile the model for all batch sizes in the background, the smallest size first.

        This takes a few seconds. The model is compiled with a short message, and may have to be compiled again for
        longer messages. A message that arrives in the meantime is answered before the next size is compiled.

        Returns:
            A future whose result is set when the smallest size is compiled.
        """
        return self._worker.submit(self._warm_up, BATCH_SIZES)

    def _warm_up(self, sizes: Sequence[int]) -> None:
        size, *larger = sizes
        self._ask([["Hello."]] * size, [1] * size, self._decoding)
        with self._lock:
            if larger and not self._closed:
                self._worker.submit(self._warm_up, larger)

    def close(self) -> None:
        """Stop answering, and drop all messages that are still waiting for the model."""
        with self._lock:
            self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            given_up = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for message in given_up:
            message.answers.set_exception(BusyError(CLOSED))

    @property
    def summary(self) -> str:
        """The number of answered messages and the sizes of their batches, as text."""
        with self._lock:
            sizes = list(self._sizes)
        batches, messages = sum(sizes), sum(size * count for size, count in enumerate(sizes, start=1))
        if not batches:
            return "no messages were answered"
        largest = max(size for size, count in enumerate(sizes, start=1) if count)
        mean = messages / batches
        answered = f"{counted(messages, 'message was', 'messages were')} answered"
        return (
            f"{answered} in {counted(batches, 'batch', 'batches')}, with {mean:.2f} messages in a batch on average and "
            f"{largest} at most"
        )

    def _answer_those_waiting(self) -> None:
        """Answer one batch of waiting messages, or do nothing if earlier calls have answered all of them."""
        messages = self._take(BATCH_SIZES[-1])
        if not messages:
            return
        histories, seeds = [message.history for message in messages], [message.seed for message in messages]
        try:
            replies = self._ask(histories, seeds, messages[0].decoding)
        except Exception as error:  # raised in every thread that waits for one of the messages
            for message in messages:
                message.answers.set_exception(error)
            return
        with self._lock:
            self._sizes[len(messages) - 1] += 1
        for message, answers in zip(messages, replies, strict=True):
            message.answers.set_result(answers)

    def _ask(self, histories: list[Sequence[str]], seeds: list[int], decoding: Any) -> list[list[Answer]]:
        count = len(histories)
        free = next(size for size in BATCH_SIZES if size >= count) - count
        histories, seeds = histories + histories[:1] * free, seeds + seeds[:1] * free
        return self.agent.answers_to_all(histories, self._context_utterances, decoding, seeds)[:count]

    def _take(self, count: int) -> list[_Message]:
        """Take up to `count` waiting messages: the oldest one, and the next-oldest ones with the same decoding."""
        with self._lock:
            if not self._waiting:
                return []
            decoding = self._waiting[0].decoding
            taken = [message for message in self._waiting if message.decoding == decoding][:count]
            for message in taken:
                self._waiting.remove(message)
            return taken
