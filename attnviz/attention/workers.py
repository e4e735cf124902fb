"""Blocks of rows on several threads, each of which computes alone.

Threads that share every small operation wait for each other after each; on a machine that others use too, that is most
of the time.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], device: torch.device
) -> Iterator[tuple[Item, Result]]:
    """Each item with what the function gives for it, in order; few results wait at a time.

    Accelerators, and a process that is allowed one thread, compute one item after the other.

    >>> list(in_parallel(lambda item: 2 * item, range(3), torch.device("cpu")))
    [(0, 0), (1, 2), (2, 4)]
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        for item in items:
            yield item, function(item)
        return

    def alone(item: Item) -> Result:
        torch.set_num_threads(1)
        return function(item)

    waiting: deque[tuple[Item, Future[Result]]] = deque()
    torch.set_num_threads(1)  # here too: helpers of small operations would keep the others from their cores
    try:
        for item in items:
            waiting.append((item, _executor(threads).submit(alone, item)))
            if len(waiting) > threads:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        for _, result in waiting:
            result.cancel()
        torch.set_num_threads(threads)  # the library of products has one number for all threads


@functools.cache
def _executor(threads: int) -> ThreadPoolExecutor:
    """Kept, because a new thread takes a while until its first product."""
    return ThreadPoolExecutor(threads, "attnviz-rows")
