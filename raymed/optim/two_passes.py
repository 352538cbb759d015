"""What a model needs between SAM's two passes, so that both compute the same function.

BatchNorm learns its statistics in the first pass only, both passes draw the same dropout masks,
and a model that DDP shares averages no gradients in the first one (Foret et al. 2021, appendix on
m-sharpness). Without this the second pass differs from the first by more than the climb.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

RngState = tuple[torch.Tensor, ...]


class TwoPasses:
    """Stands beside one model; `watch` makes it follow every forward pass by hooks."""

    def __init__(self, model: nn.Module, *, synchronised: bool = False) -> None:
        """Serve `model`, as it is called: the DDP module, the compiled one, or the plain one."""
        self.model = model
        self._norms = [module for module in model.modules() if isinstance(module, _NormBase)]
        self._shared = model if isinstance(model, DistributedDataParallel) else None
        self._synchronised = synchronised
        self._devices = sorted(
            {p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"}
        )
        self._states: list[RngState] = []
        self._replayed = 0
        self._second = False
        self._frozen: list[_NormBase] = []
        self._inside = False
        self._hooks: list[RemovableHandle] = []

    def watch(self) -> None:
        """Follow the model's forward passes in training from now on."""
        kept: list[RngState | None] = []

        def before(*_: object) -> None:
            if self._follows():
                kept.append(self._before(self._second or self._synchronised))

        def after(*_: object) -> None:
            if self._follows() and kept:
                self._after(kept.pop())

        self._hooks = [
            self.model.register_forward_pre_hook(before),
            self.model.register_forward_hook(after),
        ]

    def unwatch(self) -> None:
        """Follow the model no more."""
        for hook in self._hooks:
            hook.remove()
        self.leave()

    @contextmanager
    def forward(self, *, share: bool) -> Iterator[None]:
        """Hold around one forward and backward pass, whose gradients DDP averages or does not."""
        kept = self._before(share)
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self._after(kept)

    def enter_second(self) -> None:
        """The second pass begins: freeze statistics, replay draws, share gradients."""
        self._second = True
        for norm in self._norms:
            if norm.training and norm.track_running_stats:
                norm.track_running_stats = False  # exact, also where momentum is None
                self._frozen.append(norm)
        self._share_gradients(True)

    def leave(self) -> None:
        """The step is over: everything is as before it."""
        for norm in self._frozen:
            norm.track_running_stats = True
        self._frozen.clear()
        self._states.clear()
        self._replayed, self._second = 0, False
        self._share_gradients(True)

    def agree(self, flag: bool) -> bool:
        """Tell whether the flag is set in any of the processes that share the model."""
        if self._shared is None:
            return flag
        device = next(self.model.parameters()).device
        said = torch.tensor(float(flag), device=device)
        torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX)
        return bool(said)

    def _follows(self) -> bool:
        return self.model.training and torch.is_grad_enabled() and not self._inside

    def _before(self, share: bool) -> RngState | None:
        """Prepare one forward pass; gives what to restore after it."""
        self._share_gradients(share)
        if not self._second:
            self._states.append(self._rng_state())
            return None
        if self._replayed >= len(self._states):
            return None  # more passes than the first time: nothing to repeat
        kept = self._rng_state()
        self._set_rng_state(self._states[self._replayed])
        self._replayed += 1
        return kept

    def _after(self, kept: RngState | None) -> None:
        if kept is not None:
            self._set_rng_state(kept)

    def _share_gradients(self, share: bool) -> None:
        if self._shared is not None:
            self._shared.require_backward_grad_sync = share  # what DDP's `no_sync` sets

    def _rng_state(self) -> RngState:
        return torch.get_rng_state(), *(torch.cuda.get_rng_state(i) for i in self._devices)

    def _set_rng_state(self, state: RngState) -> None:
        torch.set_rng_state(state[0])
        for index, device in enumerate(self._devices, start=1):
            torch.cuda.set_rng_state(state[index], device)
