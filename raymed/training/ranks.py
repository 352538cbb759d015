"""Processes that train one fold together (DDP): each batch is shared, its mean is of the whole."""

from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from raymed.data.batches import Indices

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """Which of `world` processes this one is; one alone talks to nobody."""

    rank: int = 0
    world: int = 1

    @classmethod
    def here(cls) -> Self:
        """Read them from the process group that an engine has set up, if any."""
        if not distributed.is_initialized():
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, batch: Indices) -> Indices:
        """Take this process's rows of a batch."""
        return batch[self.rank :: self.world]

    def wrap(self, model: nn.Module) -> nn.Module:
        """Average gradients over the processes; weights and buffers become those of the first."""
        if self.world == 1:
            return model
        return DistributedDataParallel(model, find_unused_parameters=True)

    def weigh(self, loss: torch.Tensor, own: int, batch: int) -> torch.Tensor:
        """Scale the mean over `own` rows so that the processes' average is that over `batch`."""
        return loss if self.world == 1 else loss * (own * self.world / batch)

    def total(self, *values: float) -> list[float]:
        """Add values up over the processes."""
        if self.world == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            sums = sums.to(torch.cuda.current_device(), torch.float32)
        distributed.all_reduce(sums)
        return [float(value) for value in sums]

    def added(self, values: torch.Tensor) -> torch.Tensor:
        """Add a tensor up over the processes; every one has the same shape and device."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def least(self, value: int | None) -> int | None:
        """Give the least that any of the processes has; None where none has any."""
        if self.world == 1:
            return value
        said: list[int | None] = [None] * self.world
        distributed.all_gather_object(said, value)
        return min((each for each in said if each is not None), default=None)

    def agree(self, value: Value) -> Value:
        """Give what the first process says."""
        if self.world == 1:
            return value
        said = [value]
        distributed.broadcast_object_list(said, src=0)
        return said[0]

    def seed_keys(self) -> tuple[int, ...]:
        """Tell the processes' draws apart; one alone draws as ever."""
        return (self.rank,) if self.world > 1 else ()


ALONE = Ranks()
"""One process, which shares with nobody."""
