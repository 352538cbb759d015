"""Memory given back between units: others on the card, and the next unit, need it."""

import gc

import torch


def free_memory() -> None:
    """Let go of what nobody holds any more, and of what torch keeps of the card for itself.

    A model that some cycle still holds, as a SAM optimizer and what stands beside it, is collected
    first: only then are its blocks free to be given back. Without a card it only collects.
    """
    gc.collect()
    torch.cuda.empty_cache()  # where CUDA was not begun it does nothing
