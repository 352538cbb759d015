"""SAM (Sharpness-Aware Minimization) around any torch optimizer.

Foret et al., ICLR 2021 (arXiv 2010.01412): min_w max_{|e| <= rho} L(w + e). The gradient g of a
first pass gives the climb e = rho g / |g|, with one norm over all parameters; the step at w takes
the gradient of a second pass at w + e. "SAM" is not Segment Anything.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from raymed.errors import InputError
from raymed.optim.climbs import Climb
from raymed.optim.look import LookDirection
from raymed.optim.sam_base import base_of, check_momentum, pack, unpack
from raymed.optim.two_passes import TwoPasses


class SAM(Optimizer):
    """SAM, with ASAM (`adaptive`), LookSAM (`look_every` > 1) and MSAM (`climb="momentum"`).

    Used in one of three ways: `first_step` and `second_step`, after a backward pass each;
    `step(closure)`; or by `sam_step`. Parameter groups are the base optimizer's own, so schedulers
    move its rates; `rho` is a key of each group. A step whose gradients are not finite, in either
    pass, changes nothing and is counted in `skipped`.
    """

    _step_supports_amp_scaling = True  # GradScaler leaves it to `step`: an inf must not stop it

    def __init__(
        self,
        params: Iterable[Any],
        base_optimizer: Callable[..., Optimizer] | Optimizer,
        rho: float = 0.05,
        adaptive: bool = False,
        model: nn.Module | None = None,
        *,
        adaptive_eta: float = 0.01,
        look_every: int = 1,
        look_alpha: float = 0.7,
        climb: Literal["gradient", "momentum"] = "gradient",
        synchronised: bool = False,
        **kwargs: Any,
    ) -> None:
        """Wrap `base_optimizer`: a class, built with `kwargs`, or an instance over `params`.

        `rho` >= 0 is the length of the climb. With `model` its forward passes are followed:
        BatchNorm statistics from the first pass only, the same dropout masks in both, and under
        DDP no all-reduce in the first, unless the climb is `synchronised`. LookSAM climbs on every
        `look_every`-th step and in between adds `look_alpha` of the reused direction. A momentum
        climb needs one pass in `step(closure)` and `sam_step`. Raises `InputError` for a `rho`
        below zero or not finite, a base that needs a closure, or one without momentum.
        """
        if not (math.isfinite(rho) and rho >= 0):
            raise InputError("rho", f"{rho} is not a length", "give a number from 0, such as 0.05")
        if look_every < 1:
            raise InputError("look_every", f"{look_every} is below 1", "1 climbs on every step")
        super().__init__(list(params), {"rho": rho})
        self.base = base_of(base_optimizer, self.param_groups, kwargs)
        self.defaults = {**self.base.defaults, "rho": rho}
        self._share_groups()
        if climb == "momentum":
            check_momentum(self.base)
        self.adaptive_eta = adaptive_eta if adaptive else None
        self.look_every, self.look = look_every, LookDirection(look_alpha)
        self.climb = climb
        self.synchronised = synchronised or look_every > 1  # all processes must reuse one direction
        self.steps = self.skipped = 0
        self.passes: TwoPasses | None = None
        self._away = Climb()
        self._begun = self.failed = False
        if model is not None:
            self.follow(model).watch()

    def follow(self, model: nn.Module) -> TwoPasses:
        """Serve `model` from now on; the same model again changes nothing."""
        if self.passes is None or self.passes.model is not model:
            if self.passes is not None:
                self.passes.unwatch()
            self.passes = TwoPasses(model, synchronised=self.synchronised)
        return self.passes

    @property
    def climbs(self) -> bool:
        """Whether the coming step takes its gradient away from the weights."""
        some = any(group["rho"] for group in self.param_groups)
        return some and self.steps % self.look_every == 0

    @property
    def needs_first_pass(self) -> bool:
        """Whether the coming step's climb needs a gradient at the weights."""
        return self.climbs and self.climb == "gradient"

    @torch.no_grad()
    def first_step(self, zero_grad: bool = False) -> bool:
        """Climb from the weights w to w + e; True when the weights moved.

        They stay where the gradient is zero or not finite (then the step will be skipped), and on
        LookSAM's steps in between.
        """
        self.begin()
        if self.needs_first_pass:
            if self.look_every > 1:
                self.look.remember(self._with_gradient())
            norm = self._away.along_gradient(self.param_groups, self.adaptive_eta)
            self.failed = self._agree(not math.isfinite(norm))
        if self.failed:
            self._away.back()  # of several processes only one may have failed
            for gradient in self._gradients()[:1]:
                gradient.fill_(math.inf)  # so that a scaler in each of them backs off
        if self.passes is not None:
            self.passes.enter_second()
        if zero_grad:
            self.zero_grad()
        return self._away.away

    @torch.no_grad()
    def begin(self) -> None:
        """Begin a step that needs no first pass: at the weights, or climbed along the momentum."""
        self._away.back()  # from a step that was given up
        self._begun, self.failed = True, False
        if self.climbs and self.climb == "momentum":
            self._away.along_momentum(self.param_groups, self.base.state)

    @torch.no_grad()
    def second_step(self, zero_grad: bool = False, *, clip: float | None = None) -> None:
        """Return to w, bit for bit, and let the base step along the gradient taken at w + e.

        The gradient, unscaled if a GradScaler scaled it, is first cut to the norm `clip`.
        """
        if not self._begun:
            raise InputError("SAM", "no first_step came before", "call it, or give step a closure")
        self._away.back()
        if self.passes is not None:
            self.passes.leave()
        if self._complete(clip):
            self.base.step()
        else:
            self.skipped += 1
        self._opt_called = True  # what learning rate schedulers look for
        self.steps += 1
        self._begun = self.failed = False
        if zero_grad:
            self.zero_grad()

    def step(self, closure: Callable[[], Any] | None = None, *, clip: float | None = None) -> Any:
        """End a step that `first_step` began; with a closure take a whole one.

        The closure clears the gradients, computes the loss, calls `backward` and returns the loss.
        It is called at the weights and, where the step climbs, again. Returns the first loss.
        """
        loss = None
        if closure is not None:
            closure = torch.enable_grad()(closure)
            if self.needs_first_pass:
                loss = closure()
                self.first_step(zero_grad=True)
                closure()
            else:
                self.begin()
                loss = closure()
        self.second_step(clip=clip)
        return loss

    @torch.no_grad()
    def give_up(self) -> None:
        """Drop a step that was begun: the weights and the model are as before it."""
        self._away.back()
        self._begun = self.failed = False
        if self.passes is not None:
            self.passes.leave()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the base optimizer, and so to this one."""
        if not hasattr(self, "base"):
            super().add_param_group(param_group)
            return
        self.base.add_param_group(param_group)
        self._share_groups()

    def state_dict(self) -> dict[str, Any]:
        """Give the base's state; ours is beside it as `sam`, and in it as `sam_direction`.

        To resume from it equals never having stopped, bit for bit.
        """
        state = pack(self.base.state_dict(), self._parameters(), self.look.kept)
        return {**state, "sam": {"steps": self.steps, "skipped": self.skipped}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` gave, in an optimizer that is built the same way."""
        state, directions = unpack(state_dict)
        own = state.pop("sam", {})
        self.steps, self.skipped = int(own.get("steps", 0)), int(own.get("skipped", 0))
        self.base.load_state_dict(state)
        self._share_groups()
        parameters = self._parameters()
        self.look.kept = {
            parameters[index]: direction.to(parameters[index], copy=True)
            for index, direction in directions.items()
        }

    def _share_groups(self) -> None:
        self.param_groups, self.state = self.base.param_groups, self.base.state
        for group in self.param_groups:
            group.setdefault("rho", self.defaults["rho"])

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _with_gradient(self) -> list[nn.Parameter]:
        return [parameter for parameter in self._parameters() if parameter.grad is not None]

    def _gradients(self) -> list[torch.Tensor]:
        return [parameter.grad for parameter in self._parameters() if parameter.grad is not None]

    def _agree(self, failed: bool) -> bool:
        return failed if self.passes is None else self.passes.agree(failed)

    def _complete(self, clip: float | None) -> bool:
        """Make the gradients what the base steps along; False when they are not finite.

        A GradScaler that calls `step` has looked for that already and left its scale.
        """
        parameters, gradients = self._with_gradient(), self._gradients()
        if self.failed or not gradients:
            return not self.failed
        scale = getattr(self, "grad_scale", None)
        if scale is not None:
            torch._foreach_mul_(gradients, 1 / float(scale))
        norm = get_total_norm(gradients)
        if bool(getattr(self, "found_inf", False)) or not math.isfinite(norm):
            return False
        if self.look_every > 1:
            (self.look.learn if self.climbs else self.look.apply)(parameters)
            norm = get_total_norm(gradients)
        if clip is not None:
            clip_grads_with_norm_(parameters, clip, norm)
        return True
