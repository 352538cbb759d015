"""Where running units leave word of how far they are, until the driver asks."""

from collections import deque
from typing import Any

import ray

from raymed.training import Progress


class _Mailbox:
    """Holds what units say."""

    def __init__(self) -> None:
        self._said: deque[tuple[str, Progress]] = deque()

    def put(self, name: str, progress: Progress) -> None:
        self._said.append((name, progress))

    def take(self) -> list[tuple[str, Progress]]:
        said = list(self._said)
        self._said.clear()
        return said


def open_mailbox() -> Any:
    """Start a mailbox in the running Ray: an actor with `put(name, progress)` and `take()`."""
    return ray.remote(_Mailbox).options(num_cpus=0).remote()
