"""Sharpness: how the loss changes around a model's weights. A diagnostic, which selects nothing.

A loss is a closure over a fixed sample: it computes a scalar with the weights that the model has
when it is called. Measured are the parameters that require a gradient; the model is in eval mode
meanwhile and comes back bit for bit, whatever the closure raises.
"""

from raymed.optim.sharpness.adaptive import adaptive_sharpness
from raymed.optim.sharpness.ascent import rho_sharpness
from raymed.optim.sharpness.derivatives import Loss, Losses, NoSecondDerivativeError
from raymed.optim.sharpness.draws import DrawnMean
from raymed.optim.sharpness.hessian import Eigenvalue, hessian_trace, top_eigenvalue
from raymed.optim.sharpness.measure import Sharpness, measure_sharpness
from raymed.optim.sharpness.noise import Accuracy, accuracy_drop
from raymed.optim.sharpness.surface import LossLine, LossPlane, loss_line, loss_plane

__all__ = [
    "Accuracy",
    "DrawnMean",
    "Eigenvalue",
    "Loss",
    "LossLine",
    "LossPlane",
    "Losses",
    "NoSecondDerivativeError",
    "Sharpness",
    "accuracy_drop",
    "adaptive_sharpness",
    "hessian_trace",
    "loss_line",
    "loss_plane",
    "measure_sharpness",
    "rho_sharpness",
    "top_eigenvalue",
]
