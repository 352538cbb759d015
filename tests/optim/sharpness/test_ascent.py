"""Rises on a ball: exact on a quadratic, a lower bound elsewhere, indifferent where claimed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch import nn

from raymed.errors import InputError
from raymed.optim.sharpness import adaptive_sharpness, rho_sharpness

# eigenvalues 1, 3 and 9 in a frame that is not the axes'
FRAME = torch.linalg.qr(torch.tensor([[1.0, 2, 0], [0, 1, 1], [1, 0, 1]]).double())[0]
CURVATURES = torch.tensor([1.0, 3.0, 9.0]).double()
MATRIX = FRAME @ torch.diag(CURVATURES) @ FRAME.T
TOP = FRAME[:, 2]


@given(along=st.floats(-5, 5).filter(lambda c: abs(c) > 1e-3), rho=st.floats(0.001, 5))
def test_along_the_top_eigenvector_one_step_is_the_closed_form(along: float, rho: float) -> None:
    """L(c v + e) - L(c v) with e = rho v is 9/2 ((|c| + rho)^2 - c^2), the true maximum."""
    model = nn.Module()
    model.point = nn.Parameter(along * TOP)

    found = rho_sharpness(model, lambda: 0.5 * model.point @ MATRIX @ model.point, rho=rho)

    assert found == pytest.approx(4.5 * ((abs(along) + rho) ** 2 - along**2), rel=1e-9)


def _largest_rise(point: np.ndarray, rho: float) -> float:
    """Maximise g'e + e'Ae/2 over |e| = rho: e = (mu - A)^-1 g, mu > 9 with |e| = rho."""
    gradient = (CURVATURES.numpy() * (FRAME.T.numpy() @ point)).astype(float)

    def step(mu: float) -> np.ndarray:
        return gradient / (mu - CURVATURES.numpy())

    mu = brentq(lambda mu: np.linalg.norm(step(mu)) - rho, 9 + 1e-9, 1e6)
    e = step(mu)
    return float(gradient @ e + 0.5 * e @ (CURVATURES.numpy() * e))


@given(
    point=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.2, 3)),
    rho=st.floats(0.01, 2),
)
def test_at_any_point_many_steps_reach_the_true_maximum(
    point: tuple[float, float, float], rho: float
) -> None:
    """The oracle solves the trust-region equation; the third eigen-coordinate is not 0."""
    start = FRAME @ torch.tensor(point, dtype=torch.float64)
    model = nn.Module()
    model.point = nn.Parameter(start.clone())

    def loss() -> torch.Tensor:
        return 0.5 * model.point @ MATRIX @ model.point

    few, many = (rho_sharpness(model, loss, rho=rho, steps=steps) for steps in (1, 200))
    largest = _largest_rise(start.numpy(), rho)
    assert few <= many + 1e-12
    assert many == pytest.approx(largest, rel=1e-4)


def test_the_adaptive_step_is_the_closed_form_of_asam(bowl) -> None:
    """For L = g'w, e = rho |w|^2 g / ||w| g|, so the rise is rho ||w| g|."""
    model = nn.Module()
    model.point = nn.Parameter(torch.tensor([3.0, -1.0, 0.0]).double())
    slope = torch.tensor([1.0, 4.0, 7.0]).double()

    found = adaptive_sharpness(model, lambda: slope @ model.point, rho=0.2)

    assert found == pytest.approx(0.2 * 5)  # ||w| g| = |(3, 4, 0)| = 5


def test_at_a_flat_point_and_with_no_radius_sharpness_is_zero(bowl) -> None:
    flat = bowl(MATRIX, torch.zeros(3).double())
    assert rho_sharpness(*flat, rho=1.0) == 0
    assert rho_sharpness(*flat, rho=1.0, steps=5) == 0
    assert rho_sharpness(*bowl(MATRIX, TOP), rho=0.0, steps=3) == 0


def test_more_steps_never_find_less(relu_network, fit_to) -> None:
    model = relu_network([3, 8, 3], 0)
    rises = [
        rho_sharpness(model, fit_to(model), rho=2.0, steps=steps) for steps in (1, 2, 3, 5, 9, 20)
    ]
    assert rises == sorted(rises)
    assert 0 < rises[0] < rises[-1]


def test_a_hill_from_which_every_way_leads_down_has_no_sharpness(bowl) -> None:
    """A step overshoots the summit of -w^2 and would rate -L(w + e) + L(w) below 0."""
    model, loss = bowl(torch.tensor([[-2.0]]), torch.tensor([0.1]))
    assert rho_sharpness(model, loss, rho=1.0) == 0
    # 0.1 to 0 is the whole rise, 0.01; halved strides come near it
    assert rho_sharpness(model, loss, rho=1.0, steps=12) == pytest.approx(0.01, abs=1e-3)


@pytest.mark.parametrize("rho", [-0.1, float("nan"), float("inf")])
def test_a_radius_that_is_none_is_refused(bowl, rho: float) -> None:
    with pytest.raises(InputError, match="rho: is"):
        rho_sharpness(*bowl(MATRIX, TOP), rho=rho)


def _rescale(network: nn.Sequential, factors: list[float]) -> None:
    """Multiply what goes into each hidden unit, divide what comes out of it."""
    scale = torch.tensor(factors).double()
    with torch.no_grad():
        network[0].weight.mul_(scale[:, None])
        network[0].bias.mul_(scale)
        network[2].weight.div_(scale)


@given(exponents=st.lists(st.integers(-3, 3), min_size=5, max_size=5))
def test_adaptive_sharpness_does_not_notice_a_rescaled_relu_unit(
    relu_network, fit_to, exponents: list[int]
) -> None:
    model, same = relu_network([3, 5, 3], 2), relu_network([3, 5, 3], 2)
    _rescale(same, [2.0**exponent for exponent in exponents])

    for steps in (1, 4):
        before, after = (
            adaptive_sharpness(each, fit_to(each), rho=0.5, steps=steps) for each in (model, same)
        )
        assert before == pytest.approx(after, rel=1e-9)
        assert before > 0


def test_plain_sharpness_does_notice(relu_network, fit_to) -> None:
    model, same = relu_network([3, 5, 3], 2), relu_network([3, 5, 3], 2)
    _rescale(same, [8.0] * 5)
    before, after = (rho_sharpness(each, fit_to(each)) for each in (model, same))
    assert after > 1.5 * before


def test_a_loss_in_parts_is_the_sum_of_its_parts(relu_network, fit_to) -> None:
    model = relu_network([3, 5, 3], 2)
    whole = fit_to(model)
    parts = [lambda: 0.25 * whole(), lambda: 0.75 * whole()]

    assert rho_sharpness(model, parts) == pytest.approx(rho_sharpness(model, whole))
