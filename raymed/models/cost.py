"""What a model costs: parameters, multiply-adds, the activations that training keeps."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from raymed.models.feature_maps import at_rest


@dataclass(frozen=True)
class ModelCost:
    """The cost of one square image of `size` pixels.

    `gmacs`: billions of multiply-adds of the forward pass, in convolutions, matrix products and
    attention. `activation_bytes`: what autograd keeps for the backward pass, in float32 and eval
    mode (dropout's masks come on top), with `trainable` as it is now.
    """

    size: int
    parameters: int
    trainable: int
    gmacs: float
    activation_bytes: int


def describe_model(model: nn.Module, size: int) -> ModelCost:
    """Count a model's cost on one black image [1, 3, size, size]; the model stays as it was."""
    parameters = list(model.parameters())
    like = parameters[0] if parameters else torch.zeros(1)
    own = {value.untyped_storage().data_ptr() for value in (*parameters, *model.buffers())}
    kept: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda value: value)
    counter = FlopCounterMode(display=False)
    with at_rest(model), torch.enable_grad(), hooks, counter:
        _output = model(like.detach().new_zeros(1, 3, size, size))
    return ModelCost(
        size,
        sum(value.numel() for value in parameters),
        sum(value.numel() for value in parameters if value.requires_grad),
        counter.get_total_flops() / 2e9,
        sum(kept.values()),
    )
