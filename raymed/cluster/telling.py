"""What a process adds to the reports of its units: where it is, how busy its card; and metrics."""

import os
import time
from dataclasses import replace
from typing import Any

from raymed.cluster.embedded import MARK
from raymed.training import Progress

_LOOK_SECONDS = 2.0
"""A card says how busy it was over its last moments; it is asked this often."""


class Telling:
    """Stands in a process of Ray that works on units, one after the other."""

    def __init__(self) -> None:
        """Find out where it is."""
        import ray.util

        self._node: str = ray.util.get_node_ip_address()
        self._looked = float("-inf")
        self._busy: float | None = None
        joined = ray.is_initialized() and MARK not in os.environ
        self._metrics = _Metrics() if joined else None

    def told(self, progress: Progress) -> Progress:
        """Add the node and the share of time that its card was busy, where that is known."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked, self._busy = now, gpu_busy()
        if self._metrics is not None and progress.images_per_second is not None:
            self._metrics.speed.set(progress.images_per_second)
        return replace(progress, node=self._node, gpu_busy=self._busy)

    def ended(self, *, well: bool) -> None:
        """Count a unit; nothing is trained until the next one."""
        if self._metrics is not None:
            (self._metrics.done if well else self._metrics.failed).inc()
            self._metrics.speed.set(0)


class _Metrics:
    """What Ray's exporter gives to Prometheus; Ray adds node and process as labels.

    Only on a cluster: an embedded Ray has no exporter.
    """

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge

        self.speed: Any = Gauge("raymed_images_per_second", "Images a second of the unit at work")
        self.done: Any = Counter("raymed_units_done", "Units that ended well")
        self.failed: Any = Counter("raymed_units_failed", "Units that raised")


def gpu_busy() -> float | None:
    """Give the share of the last moments that this process's card was busy, 0 to 1.

    Whoever used it. None without a card, and where its driver does not tell.
    """
    import torch
    from pynvml import NVMLError

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    try:
        return torch.cuda.utilization() / 100
    except (NVMLError, RuntimeError, OSError):
        return None
