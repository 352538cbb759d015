"""Random changes of training images: batched, each sample with its own draw."""

import torch

from raymed.config import Augmentation
from raymed.data.augmentation.changing import change
from raymed.data.augmentation.draws import Draws, draw

__all__ = ["Draws", "augment", "change", "draw"]


def augment(images: torch.Tensor, asked: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Change float images [b, c, h, w] in 0..1, each by its own draw; they stay in 0..1.

    All draws come from the CPU `generator`, so that a batch is the same on every device.
    """
    if asked.is_off:
        return images
    return change(images, draw(images.shape, asked, generator), asked)
