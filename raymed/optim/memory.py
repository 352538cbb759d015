"""Memory that runs out in a pass, told apart from memory that runs out elsewhere in a step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class PassTooLargeError(torch.OutOfMemoryError):
    """Memory ran out in a forward or backward pass: no weight has changed yet in this step."""


@contextmanager
def one_pass() -> Iterator[None]:
    """Hold around a forward or backward pass, or both; raises `PassTooLargeError`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise PassTooLargeError(str(error)) from None
