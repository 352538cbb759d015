"""Nodes that a Ray brings when it is asked: its autoscaler."""

from collections.abc import Iterator
from contextlib import contextmanager

from raymed.cluster.attached import joined_ray
from raymed.cluster.spreading import process_resources


@contextmanager
def nodes_asked_for(address: str, processes: int, gpus: float, kind: str | None) -> Iterator[None]:
    """Have the Ray at an address bring a node for a unit of so many processes, while this lasts.

    Afterwards its own tasks say what a Ray needs, and a node that has none may go. Where nothing
    scales it changes nothing.
    """
    each = process_resources(gpus, kind)
    wanted = {name: amount * processes for name, amount in each.items()}
    _ask(address, [wanted])
    try:
        yield
    finally:
        _ask(address, [])


def _ask(address: str, bundles: list[dict[str, float]]) -> None:
    with joined_ray(address):
        from ray.autoscaler.sdk import request_resources

        request_resources(bundles=bundles)
