"""Surfaces: the middle is the model, filters set the scale, vectors do not move."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raymed.errors import InputError
from raymed.optim.sharpness import loss_line, loss_plane


def test_the_middle_of_line_and_plane_is_the_loss_itself(relu_network, fit_to) -> None:
    model = relu_network([3, 8, 3], 0)
    loss = fit_to(model)
    line, plane = loss_line(model, loss), loss_plane(model, loss)

    assert (len(line.alphas), len(line.losses)) == (21, 21)
    assert line.alphas[10] == 0
    assert line.losses[10] == loss().item()
    assert (len(plane.losses), {len(row) for row in plane.losses}) == (11, {11})
    assert plane.losses[5][5] == loss().item()
    assert (plane.alphas[0], plane.betas[-1]) == (-1, 1)


def test_the_line_is_the_middle_row_of_the_plane(relu_network, fit_to) -> None:
    model = relu_network([3, 8, 3], 0)
    line = loss_line(model, fit_to(model), points=5, seed=3)
    plane = loss_plane(model, fit_to(model), points=5, seed=3)
    assert plane.losses[2] == pytest.approx(line.losses)


def test_on_a_quadratic_the_surface_is_the_closed_form() -> None:
    """One filter (3, 4) of norm 5 and L = |w|^2 / 2: L = 25/2 + 5 alpha w'd/|d| + 25/2 alpha^2."""
    model = nn.Module()
    model.filters = nn.Parameter(torch.tensor([[3.0, 4.0]]).double())
    drawn = torch.randn(2, generator=torch.Generator().manual_seed(7)).double()
    slope = float(5 * (model.filters.detach()[0] @ drawn) / drawn.norm())

    line = loss_line(model, lambda: model.filters.square().sum() / 2, points=5, seed=7)

    for alpha, loss in zip(line.alphas, line.losses, strict=True):
        assert loss == pytest.approx(12.5 * (1 + alpha**2) + alpha * slope)


@pytest.mark.parametrize("of_matrices", [True, False])
def test_biases_and_batchnorm_do_not_move_and_every_filter_moves_by_its_own_norm(
    of_matrices: bool,
) -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    start = {name: value.detach().clone() for name, value in model.named_parameters()}
    moved: list[dict[str, torch.Tensor]] = []

    def loss() -> torch.Tensor:
        moved.append({name: value.detach().clone() for name, value in model.named_parameters()})
        return torch.zeros(())

    loss_line(model, loss, points=3)

    offsets = {name: moved[-1][name] - start[name] for name in start}  # alpha = 1
    for name, offset in offsets.items():
        if (start[name].ndim > 1) is not of_matrices:
            continue
        if of_matrices:
            lengths = [each.flatten(1).norm(dim=1) for each in (offset, start[name])]
            torch.testing.assert_close(*lengths)
        else:
            assert offset.eq(0).all()


@given(exponents=st.tuples(st.integers(-4, 4), st.integers(-4, 4)))
def test_surfaces_do_not_notice_rescaled_relu_layers(
    relu_network, fit_to, exponents: tuple[int, int]
) -> None:
    model, same = relu_network([3, 6, 6, 3], 5), relu_network([3, 6, 6, 3], 5)
    one, two = (2.0**exponent for exponent in exponents)
    with torch.no_grad():
        for layer, factor, bias in ((0, one, one), (2, two / one, two), (4, 1 / two, 1)):
            same[layer].weight.mul_(factor)
            same[layer].bias.mul_(bias)

    planes = [loss_plane(each, fit_to(each), points=3) for each in (model, same)]

    for row, other in zip(planes[0].losses, planes[1].losses, strict=True):
        assert row == pytest.approx(other)
    assert len({loss for row in planes[0].losses for loss in row}) == 9


def test_models_of_one_shape_are_cut_along_the_same_draws(relu_network) -> None:
    """Divided by the filters' norms, the two directions are one."""
    units = []
    for seed in (0, 1):
        model = relu_network([3, 4], seed)
        start = model[0].weight.detach().clone()
        seen: list[torch.Tensor] = []

        def loss(model=model, seen=seen) -> torch.Tensor:
            seen.append(model[0].weight.detach().clone())
            return torch.zeros(())

        loss_line(model, loss, points=3, seed=8)
        units.append((seen[-1] - start) / start.norm(dim=1, keepdim=True))
    torch.testing.assert_close(*units)


@pytest.mark.parametrize("points", [0, 10, -1])
def test_a_grid_without_a_middle_is_refused(relu_network, fit_to, points: int) -> None:
    model = relu_network([3, 3], 0)
    with pytest.raises(InputError, match=f"points: is {points}"):
        loss_line(model, fit_to(model), points=points)
