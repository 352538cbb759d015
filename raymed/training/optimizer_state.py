"""An optimizer's state as flat tensors, which safetensors can hold."""

import torch

TensorState = dict[str, torch.Tensor]

_OWN = "sam"


def optimizer_state(optimizer: torch.optim.Optimizer) -> TensorState:
    """Flatten an optimizer's tensors to `<parameter>.<name>`, SAM's counters to `sam.<name>`."""
    packed = optimizer.state_dict()
    flat = {
        f"{index}.{name}": value
        for index, values in packed["state"].items()
        for name, value in values.items()
        if isinstance(value, torch.Tensor)
    }
    return flat | {f"{_OWN}.{k}": torch.tensor(v) for k, v in packed.get(_OWN, {}).items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, flat: TensorState) -> None:
    """Put `optimizer_state` back into a fresh optimizer of the same phase.

    Tensors of a parameter's shape are laid out in memory as the parameter is: sums over them, such
    as a norm, then come out to the same bits.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, TensorState] = {}
    own: dict[str, int] = {}
    for key, value in flat.items():
        index, _, name = key.partition(".")
        if index == _OWN:
            own[name] = int(value)
        else:
            like = parameters[int(index)]
            if value.shape == like.shape:
                value = torch.empty_like(like.detach(), dtype=value.dtype).copy_(value)
            state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups, _OWN: own})
