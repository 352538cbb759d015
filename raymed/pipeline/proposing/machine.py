"""What this machine has: cores, GPUs, memory; all counted, nothing guessed."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
import torch

from raymed.pipeline.memory import resident_bytes

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Machine:
    """`memory` is free now, or what the container may take, in bytes; so is `process`.

    `process` is what this one holds, with torch and timm in it, as a worker of a build does.
    """

    cores: int
    gpus: tuple[str, ...]
    memory: int
    process: int | None

    @classmethod
    def here(cls) -> Self:
        """Look at the machine that this runs on."""
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        free = psutil.virtual_memory().available
        limits = [limit for file in _LIMITS if (limit := _number_in(file)) is not None]
        return cls(
            len(os.sched_getaffinity(0)),
            tuple(torch.cuda.get_device_name(index) for index in range(count)),
            min([free, *limits]),
            resident_bytes("VmRSS"),
        )

    @property
    def workers(self) -> int | None:
        """How many workers to ask for, if fewer than cores: each is to have twice `process`."""
        if self.gpus or self.process is None:
            return None
        fitting = max(1, self.memory // (2 * self.process))
        return fitting if fitting < self.cores else None

    @property
    def told(self) -> str:
        """Say it in words."""
        gpus = ", ".join(self.gpus) if self.gpus else "no GPU"
        cores = f"{self.cores} core{'s' * (self.cores > 1)}"
        return f"{cores}, {gpus}, {self.memory / 2**30:.1f} GiB of memory free"


def _number_in(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return None
