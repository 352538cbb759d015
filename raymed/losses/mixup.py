"""Mixing samples: manifold mixup (Verma et al. 2019), input mixup (Zhang et al. 2018), CutMix.

A batch draws once how much of each sample stays, with whom it is mixed and where; every pass over
the batch, such as SAM's second one, mixes alike.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from raymed.config import Mixup

INPUT = ""
"""The place before the first layer."""


@dataclass(frozen=True)
class Mix:
    """How one batch is mixed.

    `share` (0..1) of a sample is its own, the rest its partner's; `keys` [b] order the samples, and
    each one's partner is the next. `point` names the module whose output is mixed. A `box` (top,
    left, height, width, in parts of the image) is cut from the partner instead.
    """

    share: float
    keys: torch.Tensor
    point: str = INPUT
    box: tuple[float, float, float, float] | None = None

    @property
    def at_input(self) -> bool:
        """Whether it is the input that is mixed."""
        return self.point == INPUT

    def of(self, rows: slice) -> "Mix":
        """Take that of some of the samples."""
        return replace(self, keys=self.keys[rows])

    def partners(self, rows: slice) -> torch.Tensor:
        """Give, for a part of the batch, each sample's partner in it, int64; nobody is his own."""
        order = self.keys[rows].argsort()
        partners = torch.empty_like(order)
        partners[order] = order.roll(-1)
        return partners

    def mixed(self, values: torch.Tensor, partners: torch.Tensor) -> torch.Tensor:
        """Mix values of any shape along their first axis."""
        if self.box is None:
            return self.share * values + (1 - self.share) * values[partners]
        rows, columns = box_in(self.box, values.shape[-2], values.shape[-1])
        values = values.clone()
        values[..., rows, columns] = values[partners][..., rows, columns]
        return values

    @contextmanager
    def within(self, model: nn.Module, partners: torch.Tensor) -> Iterator[None]:
        """Mix the output of the module `point` of `model` in forward passes inside the block."""
        if self.at_input:
            yield
            return

        def mix(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
            return self.mixed(output, partners)

        hook = model.get_submodule(self.point).register_forward_hook(mix)
        try:
            yield
        finally:
            hook.remove()


def draw_mix(
    asked: Mixup,
    batch: torch.Tensor,
    points: Sequence[str],
    generator: torch.Generator,
) -> Mix:
    """Draw how a batch [b, ...] is mixed; `points` are the modules that manifold mixup may take.

    The input is one more of them. In CutMix the share is what the box leaves, in whole pixels.
    """
    rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
    share = float(rng.beta(asked.alpha, asked.alpha))
    keys = torch.from_numpy(rng.random(len(batch))).to(batch.device)
    if asked.kind == "manifold":
        places = (INPUT, *points)
        return Mix(share, keys, places[rng.integers(len(places))])
    if asked.kind == "input":
        return Mix(share, keys)
    side = (1 - share) ** 0.5
    top, left = rng.random(2) * (1 - side)
    box = (float(top), float(left), side, side)
    rows, columns = box_in(box, batch.shape[-2], batch.shape[-1])
    cut = (rows.stop - rows.start) * (columns.stop - columns.start)
    return Mix(1 - cut / (batch.shape[-2] * batch.shape[-1]), keys, box=box)


def box_in(box: tuple[float, float, float, float], height: int, width: int) -> tuple[slice, slice]:
    """Turn a box in parts of an image into its rows and columns."""
    top, left, tall, wide = box
    first, start = round(top * height), round(left * width)
    return slice(first, first + round(tall * height)), slice(start, start + round(wide * width))
