"""Runs tasks in several processes and yields their results in order, until a time limit is reached."""

import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, Self, TypeVar

from glove.cost import TimeLimit

T = TypeVar("T")


class TimeOverError(Exception):
    """The time limit was reached before all tasks were done."""


class Processes:
    """A context manager that runs tasks in several processes, or one after the other in this process.

    Ctrl-C reaches only this process. If an exception ends the block, running tasks are completed and the others are
    dropped. If the time limit ends the block, all submitted tasks are completed.

    Args:
        count: The number of processes. If 1, this process runs the tasks itself.
        prepare: A function that each process calls before its first task. New processes import the function by name.
        minutes: The time limit in minutes, counted from the first new task (see `submit`), or None for no limit.
    """

    def __init__(self, count: int, prepare: Callable[[], object], minutes: float | None = None):
        self.count = count
        self._minutes, self._limit = minutes, TimeLimit()
        self._has_begun = False
        self._executor: Executor
        if count == 1:
            prepare()
            self._executor = _Here()
        else:  # new processes, because TensorFlow does not survive a fork
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(prepare,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._executor.shutdown(cancel_futures=kind is not TimeOverError)

    def submit(self, work: Callable[..., T], *arguments: Any, is_new: bool = True) -> "Future[T]":
        """Submit a task.

        Args:
            work: The function to run. Other processes import it by name.
            *arguments: The arguments of the function.
            is_new: Whether the task does work that no earlier command has done. The time limit is counted from the
                first such task, so a command that is repeated with a short limit makes progress each time.

        Raises:
            TimeOverError: The time limit has been reached.
        """
        if self._limit.is_over:
            raise TimeOverError
        if is_new and not self._has_begun:
            self._has_begun, self._limit = True, TimeLimit(self._minutes)
        with _ctrl_c_delayed():  # a submission may start a process
            return self._executor.submit(work, *arguments)

    def in_turn(self, futures: Iterable["Future[T]"]) -> Iterator[T]:
        """Yield the results of tasks in order. At any time, slightly more tasks are submitted than there are processes.

        Args:
            futures: The tasks. Each task is submitted when it is taken from this iterable.
        """
        waiting: collections.deque[Future[T]] = collections.deque()
        for future in futures:
            waiting.append(future)
            if len(waiting) > 2 * self.count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Here(Executor):
    """An executor that runs tasks in this process, one after the other."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _begin(prepare: Callable[[], object]) -> None:
    """Prepare a new process so that it ignores Ctrl-C and ends if its parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            multiprocessing.connection.wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()
    prepare()


@contextlib.contextmanager
def _ctrl_c_delayed() -> Iterator[None]:
    """A context manager that delays Ctrl-C until its block ends. Processes started in the block ignore Ctrl-C.

    Ctrl-C in a terminal reaches all processes. Without this delay, a process that is still starting would end with a
    traceback. Processes inherit the signal mask, so they ignore Ctrl-C from the start.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    delayed: list[int] = []
    # The mask does not suffice for this process, because another of its threads may receive the signal.
    is_main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGINT, lambda number, _: delayed.append(number)) if is_main else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if is_main:
            signal.signal(signal.SIGINT, previous)
    if delayed:
        signal.raise_signal(signal.SIGINT)
