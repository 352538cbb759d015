"""Every figure of a model's sharpness at once."""

from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import nn

from raymed.optim.sharpness.adaptive import adaptive_sharpness
from raymed.optim.sharpness.ascent import rho_sharpness
from raymed.optim.sharpness.derivatives import Losses, NoSecondDerivativeError, loss_value
from raymed.optim.sharpness.draws import DrawnMean
from raymed.optim.sharpness.hessian import Eigenvalue, hessian_trace, top_eigenvalue
from raymed.optim.sharpness.noise import Accuracy, accuracy_drop
from raymed.optim.sharpness.weights import held_weights


@dataclass(frozen=True)
class Sharpness:
    """How the loss changes around a model's weights: a diagnostic, which selects nothing.

    Sharpness does not reliably predict generalization (Andriushchenko et al. 2023, arXiv
    2302.07011). Rises and the loss are in nats for a cross-entropy; `parameters` counts what was
    moved. The curvature is None where an operation of the model has no second derivative.
    """

    loss: float
    accuracy: float
    parameters: int
    rho: float
    one_step: float
    steps: int
    several_steps: float
    adaptive_rho: float
    adaptive: float
    noise: float
    noise_draws: int
    accuracy_drop: float
    accuracy_drop_error: float
    top_eigenvalue: float | None
    top_eigenvalue_residual: float | None
    trace: float | None
    trace_error: float | None
    trace_probes: int


def measure_sharpness(
    model: nn.Module,
    loss: Losses,
    accuracy: Accuracy,
    *,
    rho: float = 0.05,
    steps: int = 5,
    adaptive_rho: float = 0.5,
    noise: float = 0.1,
    draws: int = 10,
    probes: int = 10,
    tolerance: float = 1e-2,
    iterations: int = 30,
    seed: int = 0,
) -> Sharpness:
    """Measure all figures of the parameters that require a gradient, the model in eval mode.

    See the single functions for what each is. The model comes back as it was.
    """
    with held_weights(model) as held, torch.no_grad():
        at_rest, right = loss_value(loss), accuracy()
        parameters = held.vector.numel()
    drop = accuracy_drop(model, accuracy, sigma=noise, draws=draws, seed=seed)
    top: Eigenvalue | None = None
    trace: DrawnMean | None = None
    with suppress(NoSecondDerivativeError):
        top = top_eigenvalue(model, loss, tolerance=tolerance, iterations=iterations, seed=seed)
        trace = hessian_trace(model, loss, probes=probes, seed=seed)
    return Sharpness(
        loss=at_rest,
        accuracy=right,
        parameters=parameters,
        rho=rho,
        one_step=rho_sharpness(model, loss, rho=rho),
        steps=steps,
        several_steps=rho_sharpness(model, loss, rho=rho, steps=steps),
        adaptive_rho=adaptive_rho,
        adaptive=adaptive_sharpness(model, loss, rho=adaptive_rho, steps=steps),
        noise=noise,
        noise_draws=draws,
        accuracy_drop=drop.mean,
        accuracy_drop_error=drop.standard_error,
        top_eigenvalue=top.value if top else None,
        top_eigenvalue_residual=top.residual if top else None,
        trace=trace.mean if trace else None,
        trace_error=trace.standard_error if trace else None,
        trace_probes=probes,
    )
