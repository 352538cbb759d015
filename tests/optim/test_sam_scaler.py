"""SAM with mixed precision: both usual ways of a GradScaler, and bf16 autocast."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp import GradScaler

from raymed.optim import SAM, sam_step
from tests.optim.conftest import loss_of, same, weights

Net = Callable[..., nn.Module]
INF = float("inf")


def singles(batches: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(data.float(), labels) for data, labels in batches]


def single(net: Net, **options: Any) -> nn.Module:
    return net(**options).float()


def textbook(model: nn.Module, batches: Any, scaler: GradScaler, factors: Any = None) -> SAM:
    """`scaler.scale(loss).backward()` twice, `scaler.step`, one `update`."""
    sam = SAM(model.parameters(), torch.optim.AdamW, rho=0.3, lr=0.01)
    for batch in singles(batches):
        scaler.scale(loss_of(model, batch) * (next(factors) if factors else 1)).backward()
        sam.first_step(zero_grad=True)
        scaler.scale(loss_of(model, batch) * (next(factors) if factors else 1)).backward()
        scaler.step(sam)
        scaler.update()
        sam.zero_grad()
    return sam


def by_sam_step(model: nn.Module, batches: Any, scaler: GradScaler, factors: Any = None) -> SAM:
    sam = SAM(model.parameters(), torch.optim.AdamW, rho=0.3, lr=0.01)
    for batch in singles(batches):

        def loss(batch: Any = batch) -> torch.Tensor:
            return loss_of(model, batch) * (next(factors) if factors else 1)

        sam_step(model, sam, loss, scaler=scaler)
    return sam


WAYS = pytest.mark.parametrize("way", [textbook, by_sam_step])


@WAYS
@pytest.mark.parametrize("enabled", [True, False], ids=["one scaler", "AMP off"])
def test_a_scaler_changes_no_bit_of_the_steps(
    way: Any, enabled: bool, net: Net, batches: Any
) -> None:
    """Scales are powers of two; the climb's direction does not depend on them."""
    model, plain = single(net), single(net)
    way(model, batches, GradScaler("cpu", init_scale=1024.0, enabled=enabled))
    sam = SAM(plain.parameters(), torch.optim.AdamW, rho=0.3, lr=0.01)
    for batch in singles(batches):
        sam_step(plain, sam, lambda batch=batch: loss_of(plain, batch))  # type: ignore[misc]

    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(plain)[key], rtol=1e-6, atol=1e-7)
    assert not same(weights(model), weights(single(net)))


@WAYS
@pytest.mark.parametrize("bad", ["first", "second"])
def test_an_overflow_in_either_pass_is_survived_and_the_scale_backs_off(
    way: Any, bad: str, net: Net, batches: Any
) -> None:
    """The textbook's scaler cannot see a first pass that overflowed alone; a real one, at the
    same weights and scale, overflows in both."""
    model = single(net)
    before = weights(model)
    scaler = GradScaler("cpu", init_scale=1024.0)
    both = bad == "first" and way is textbook
    factors = iter([INF if bad == "first" else 1.0, INF if bad == "second" or both else 1.0])
    sam = way(model, batches[:1], scaler, factors)

    assert same(weights(model), before)
    assert sam.skipped == 1
    assert scaler.get_scale() == 512.0
    way(model, batches[1:], scaler)
    assert not same(weights(model), before)
    assert all(value.isfinite().all() for value in weights(model).values())


def test_gradients_are_unscaled_once_before_they_are_clipped(net: Net, batches: Any) -> None:
    model = single(net)
    before = weights(model)
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.3, lr=1.0)
    batch = singles(batches)[0]
    scaler = GradScaler("cpu", init_scale=4096.0)
    sam_step(model, sam, lambda: 100 * loss_of(model, batch), scaler=scaler, clip=0.25)

    moved = torch.cat([(value - before[key]).flatten() for key, value in weights(model).items()])
    assert float(moved.norm()) == pytest.approx(0.25, rel=1e-4)


def test_unscaling_by_hand_before_the_step_works_too(net: Net, batches: Any) -> None:
    """The usual recipe for clipping with a scaler; the second `unscale_` is the scaler's own."""
    models = [single(net), single(net)]
    for model, by_hand in zip(models, (True, False), strict=True):
        scaler = GradScaler("cpu", init_scale=1024.0)
        sam = SAM(model.parameters(), torch.optim.AdamW, rho=0.3, lr=0.01)
        for batch in singles(batches):
            scaler.scale(loss_of(model, batch)).backward()
            sam.first_step(zero_grad=True)
            scaler.scale(loss_of(model, batch)).backward()
            if by_hand:
                scaler.unscale_(sam)
            scaler.step(sam)
            scaler.update()
            sam.zero_grad()

    for key, value in weights(models[0]).items():
        torch.testing.assert_close(value, weights(models[1])[key], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_autocast_steps_follow_those_in_full_precision(
    kind: torch.dtype, net: Net, batches: Any
) -> None:
    model, full = single(net), single(net)
    scaler = GradScaler("cpu", init_scale=256.0) if kind == torch.float16 else None
    sam, reference = (
        SAM(each.parameters(), torch.optim.SGD, rho=0.1, lr=0.1) for each in (model, full)
    )
    for batch in singles(batches):

        def cast(batch: Any = batch) -> torch.Tensor:
            with torch.autocast("cpu", kind):
                return loss_of(model, batch)

        sam_step(model, sam, cast, scaler=scaler)
        sam_step(full, reference, lambda batch=batch: loss_of(full, batch))  # type: ignore[misc]

    assert all(value.dtype == torch.float32 for value in weights(model).values())
    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(full)[key], rtol=0.05, atol=0.02)
    assert not same(weights(model), weights(single(net)))
