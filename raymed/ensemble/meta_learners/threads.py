"""Where matrices are small: one thread for each fit, and a fit for each core."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

Given = TypeVar("Given")
Found = TypeVar("Found")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let torch, BLAS and OpenMP calculate in the thread that calls.

    Handing parts of small matrices to threads takes longer than the arithmetic, several times
    longer where the cores have other work.
    """
    import torch  # here, as what predicts does without it

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # what threads that begin meanwhile take over
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def side_by_side(fit: Callable[[Given], Found], each: Iterable[Given]) -> list[Found]:
    """Fit as many at once as there are cores; what they give comes in order."""
    with one_thread_each(), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(fit, each))
