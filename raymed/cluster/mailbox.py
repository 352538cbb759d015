"""Where running units leave word of how far they are, until the driver asks."""

import pickle
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raymed.training import Progress


class Mailbox:
    """Holds what units say, in a process of the running Ray, in the order that each said it."""

    def __init__(self) -> None:
        self._words = _start_process()

    def put(self, name: str, progress: Progress) -> None:
        """Leave word of the unit of that name; waits for nothing."""
        self._words.put.remote(pickle.dumps((name, progress)))

    def take(self) -> list[tuple[str, Progress]]:
        """Take out what was left."""
        return [pickle.loads(word) for word in ray.get(self._words.take.remote())]


def _start_process() -> Any:
    """Start the process, on the driver's node: no other one takes it along when it dies.

    It sees only bytes, and this class by value: it never loads torch.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)

    class Words:
        def __init__(self) -> None:
            self._left: list[bytes] = []

        def put(self, word: bytes) -> None:
            self._left.append(word)

        def take(self) -> list[bytes]:
            taken, self._left = self._left, []
            return taken

    return ray.remote(Words).options(num_cpus=0, scheduling_strategy=here).remote()
