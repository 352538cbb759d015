"""ASAM, LookSAM, MSAM and the climb on a part of the batch, against their papers' formulas."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from raymed.optim import SAM, sam_step
from tests.optim.conftest import loss_of, same, weights

Net = Callable[..., nn.Module]


def gradients(model: nn.Module, batch: Any) -> list[torch.Tensor]:
    own = [p for p in model.parameters() if p.requires_grad and p.shape != (2,)]
    return list(torch.autograd.grad(loss_of(model, batch), own))


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.shape != (2,)]


def flat(values: Any) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in values])


def test_asam_climbs_to_the_edge_of_its_scaled_ball(net: Net, batches: Any) -> None:
    """e = rho T^2 g / |T g|, T = |w| + eta (Kwon et al. 2021), so |e / T| = rho."""
    model = net()
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.7, adaptive=True, lr=0.1)
    w, g = flat(trained(model)), flat(gradients(model, batches[0]))
    scale = w.abs() + 0.01
    loss_of(model, batches[0]).backward()
    sam.first_step()

    moved = flat(trained(model)) - w
    expected = 0.7 * scale**2 * g / (scale * g).norm()
    torch.testing.assert_close(moved, expected, rtol=1e-10, atol=1e-14)
    assert float((moved / scale).norm()) == pytest.approx(0.7)


@pytest.mark.parametrize("factor", [0.125, 8.0])
def test_asam_climbs_alike_in_networks_that_relu_scaling_makes_equal(
    factor: float, batches: Any
) -> None:
    """Scale one layer up and the next one down: the same function, the same climb in it."""
    losses = []
    for scale in (1.0, factor):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(4, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)
        ).double()
        with torch.no_grad():
            model[0].weight *= scale
            model[2].weight /= scale
        sam = SAM(
            model.parameters(), torch.optim.SGD, rho=0.7, adaptive=True, adaptive_eta=0.0, lr=0.1
        )
        loss_of(model, batches[0]).backward()
        sam.first_step()
        losses.append(float(loss_of(model, batches[0]).detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_looksam_that_looks_every_step_is_sam(net: Net, batches: Any) -> None:
    models = [net(), net()]
    for model, options in zip(models, ({}, {"look_every": 1, "look_alpha": 0.9}), strict=True):
        sam = SAM(model.parameters(), torch.optim.AdamW, rho=0.3, lr=0.01, **options)
        for batch in batches:
            done = sam_step(model, sam, lambda m=model, b=batch: loss_of(m, b))  # type: ignore[misc]
            assert done.passes == 2
    assert same(weights(models[0]), weights(models[1]))


def test_looksam_reuses_what_the_climb_added_across_the_gradient(net: Net, batches: Any) -> None:
    """v = s - (s.g / g.g) g on a climbing step, then g + alpha |g| / |v| v (Liu et al. 2022)."""
    model, twin = net(), net()
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1, look_every=2, look_alpha=0.7)
    first = sam_step(model, sam, lambda: loss_of(model, batches[0]))
    second = sam_step(model, sam, lambda: loss_of(model, batches[1]))

    own = trained(twin)
    start = [p.detach().clone() for p in own]
    g = gradients(twin, batches[0])
    with torch.no_grad():
        for p, value in zip(own, g, strict=True):
            p += 0.5 * value / flat(g).norm()
    s = gradients(twin, batches[0])
    across = [
        b - float(flat(s) @ flat(g) / (flat(g) @ flat(g))) * a for a, b in zip(g, s, strict=True)
    ]
    with torch.no_grad():
        for p, w, value in zip(own, start, s, strict=True):
            p.copy_(w - 0.1 * value)
    g = gradients(twin, batches[1])
    factor = 0.7 * float(flat(g).norm() / flat(across).norm())
    with torch.no_grad():
        for p, value, direction in zip(own, g, across, strict=True):
            p -= 0.1 * (value + factor * direction)

    assert (first.passes, second.passes) == (2, 1)
    assert abs(float(flat(across) @ flat(g))) > 0
    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(twin)[key], rtol=1e-10, atol=1e-13)


def test_the_usual_loop_may_give_looksam_two_passes_on_every_step(net: Net, batches: Any) -> None:
    models = [net(), net()]
    for model, by_hand in zip(models, (True, False), strict=True):
        sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1, look_every=3)
        for batch in batches:
            if by_hand:
                loss_of(model, batch).backward()
                sam.first_step(zero_grad=True)
                loss_of(model, batch).backward()
                sam.second_step(zero_grad=True)
            else:
                sam_step(model, sam, lambda m=model, b=batch: loss_of(m, b))  # type: ignore[misc]
    assert same(weights(models[0]), weights(models[1]))


@pytest.mark.parametrize(
    ("base", "name", "options"),
    [
        (torch.optim.SGD, "momentum_buffer", {"momentum": 0.9}),
        (torch.optim.AdamW, "exp_avg", {}),
    ],
)
def test_msam_takes_one_pass_where_the_momentum_leads(
    base: Any, name: str, options: dict[str, Any], net: Net, batches: Any
) -> None:
    """At w - rho m / |m| (Becker et al. 2024): where plain steps would go, by a fixed length."""
    model = net()
    sam = SAM(model.parameters(), base, rho=0.5, climb="momentum", lr=0.01, **options)
    places: list[torch.Tensor] = []

    def loss(batch: Any) -> torch.Tensor:
        places.append(flat(trained(model)))
        return loss_of(model, batch)

    for batch in batches:
        w = flat(trained(model))
        momenta = [sam.state[p][name].clone() for p in trained(model) if p in sam.state]
        done = sam_step(model, sam, lambda batch=batch: loss(batch))  # type: ignore[misc]
        expected = -0.5 * flat(momenta) / flat(momenta).norm() if momenta else 0 * w
        torch.testing.assert_close(places[-1] - w, expected, rtol=1e-10, atol=1e-14)
        assert done.passes == 1
    assert len(places) == len(batches)


def test_msam_learns_batchnorm_statistics_in_its_only_pass(net: Net, batches: Any) -> None:
    model = net(batchnorm=True)
    sam = SAM(model.parameters(), torch.optim.AdamW, rho=0.5, climb="momentum", lr=0.01)
    for batch in batches:
        sam_step(model, sam, lambda batch=batch: loss_of(model, batch))  # type: ignore[misc]
    assert int(model[1].num_batches_tracked) == len(batches)  # type: ignore[index, arg-type]


def test_a_climb_on_a_part_of_the_batch_follows_that_parts_gradient(net: Net, batches: Any) -> None:
    model, twin = net(), net()
    data, labels = batches[0]
    part = (data[:2], labels[:2])
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    done = sam_step(
        model, sam, lambda: loss_of(model, batches[0]), climb_fn=lambda: loss_of(model, part)
    )

    own = trained(twin)
    start = [p.detach().clone() for p in own]
    g = gradients(twin, part)
    with torch.no_grad():
        for p, value in zip(own, g, strict=True):
            p += 0.5 * value / flat(g).norm()
    there = float(loss_of(twin, batches[0]).detach())
    s = gradients(twin, batches[0])
    with torch.no_grad():
        for p, w, value in zip(own, start, s, strict=True):
            p.copy_(w - 0.1 * value)

    assert float(done.loss) == pytest.approx(there)
    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(twin)[key], rtol=1e-10, atol=1e-13)
