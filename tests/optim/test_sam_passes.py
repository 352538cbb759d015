"""What must be the same in both passes, and what only the first may do."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import timm.utils
import torch
from torch import nn

from raymed.optim import SAM, sam_step
from tests.optim.conftest import by_the_book, closures, loss_of, sam_steps, same, textbook, weights

Net = Callable[..., nn.Module]


WAYS = pytest.mark.parametrize("loop", [textbook, closures, sam_steps])


def take_steps(loop: Any, model: nn.Module, batches: Any) -> None:
    """Train with an optimizer that was told the model, unless `sam_step` tells it."""
    told = None if loop is sam_steps else model
    loop(model, batches, SAM(model.parameters(), torch.optim.SGD, rho=0.5, model=told, lr=0.1))


@WAYS
@pytest.mark.parametrize("momentum", [0.1, None])
def test_batchnorm_learns_its_statistics_from_the_first_pass_only(
    loop: Any, momentum: float | None, net: Net, batches: Any
) -> None:
    """Also a cumulative average (momentum None), which setting momentum to 0 would not stop."""
    model, watched = net(batchnorm=True), net(batchnorm=True)
    for each in (model, watched):
        each[1].momentum = momentum  # type: ignore[index]
    take_steps(loop, model, batches[:1])
    watched(batches[0][0])  # one forward pass at the first weights

    statistics = {k: v for k, v in weights(model).items() if "running" in k or "tracked" in k}
    assert len(statistics) == 3
    assert same(statistics, weights(watched))
    assert model[1].track_running_stats  # type: ignore[index]


@WAYS
def test_frozen_batchnorm_stays_frozen_in_both_passes(loop: Any, net: Net, batches: Any) -> None:
    model = net(batchnorm=True)
    model[1].eval()  # type: ignore[index]
    before = weights(model)
    take_steps(loop, model, batches)

    after = weights(model)
    assert torch.equal(after["1.running_mean"], before["1.running_mean"])
    assert not torch.equal(after["0.weight"], before["0.weight"])


@WAYS
def test_both_passes_draw_the_same_dropout_masks(loop: Any, net: Net, batches: Any) -> None:
    model = net(dropout=0.5)
    masks: list[torch.Tensor] = []
    model[2].register_forward_hook(lambda *a: masks.append(a[2].detach() == 0))  # type: ignore[index]
    torch.manual_seed(3)
    take_steps(loop, model, batches)

    assert len(masks) == 2 * len(batches)
    for first, second in zip(masks[::2], masks[1::2], strict=True):
        assert torch.equal(first, second)
        assert 0 < int(first.sum()) < first.numel()
    assert not torch.equal(masks[0], masks[2])


@WAYS
def test_draws_after_a_step_go_on_where_the_first_pass_left_them(
    loop: Any, net: Net, batches: Any
) -> None:
    model = net(dropout=0.5)
    torch.manual_seed(3)
    model(batches[0][0])
    expected = torch.rand(3)
    torch.manual_seed(3)
    take_steps(loop, model, batches[:1])

    assert torch.equal(torch.rand(3), expected)


def test_predicting_between_the_passes_changes_nothing(net: Net, batches: Any) -> None:
    models = [net(dropout=0.5, batchnorm=True) for _ in range(2)]
    for model, disturbed in zip(models, (False, True), strict=True):
        torch.manual_seed(3)
        sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, model=model, lr=0.1)
        for batch in batches:
            loss_of(model, batch).backward()
            sam.first_step(zero_grad=True)
            if disturbed:
                with torch.no_grad():
                    model.eval()(batch[0])
                model.train()
            loss_of(model, batch).backward()
            sam.second_step(zero_grad=True)

    assert same(weights(models[0]), weights(models[1]))


def test_accumulation_climbs_once_from_the_mean_of_the_parts(net: Net, batches: Any) -> None:
    model, whole = net(), net()
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    data, labels = batches[0]

    def part(index: int) -> torch.Tensor:
        rows = slice(2 * index, 2 * index + 2)
        return loss_of(model, (data[rows], labels[rows]))

    done = sam_step(model, sam, part, accumulate=3)
    for _ in by_the_book(whole, batches[:1], torch.optim.SGD(whole.parameters(), lr=0.1), 0.5):
        pass

    assert float(done.loss) == pytest.approx(float(loss_of(net(), batches[0]).detach()))
    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(whole)[key], rtol=1e-12, atol=1e-14)


def test_accumulated_parts_repeat_their_own_dropout_masks(net: Net, batches: Any) -> None:
    model = net(dropout=0.5)
    masks: list[torch.Tensor] = []
    model[2].register_forward_hook(lambda *a: masks.append(a[2].detach() == 0))  # type: ignore[index]
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    sam_step(model, sam, lambda part: loss_of(model, batches[part]), accumulate=3)

    assert [torch.equal(a, b) for a, b in zip(masks[:3], masks[3:], strict=True)] == [True] * 3
    assert not torch.equal(masks[0], masks[1])


def test_clipping_bounds_the_step_and_not_the_climb(net: Net, batches: Any) -> None:
    model, reference = net(), net()
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=1.0)
    before = weights(model)
    sam_step(model, sam, lambda: 100 * loss_of(model, batches[0]), clip=0.25)

    moved = torch.cat([(value - before[key]).flatten() for key, value in weights(model).items()])
    assert float(moved.norm()) == pytest.approx(0.25)
    base = torch.optim.SGD(reference.parameters(), lr=1.0)
    for _ in by_the_book(reference, batches[:1], base, 0.5):
        pass  # the same direction: the climb had its full length
    book = torch.cat([(value - before[k]).flatten() for k, value in weights(reference).items()])
    assert float(torch.cosine_similarity(moved, book, dim=0)) == pytest.approx(1)


def test_an_exponential_average_sees_restored_weights_only(net: Net, batches: Any) -> None:
    model, reference = net(), net()
    ema, expected = (timm.utils.ModelEmaV3(each, decay=0.5) for each in (model, reference))
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    book = by_the_book(reference, batches, torch.optim.SGD(reference.parameters(), lr=0.1), 0.5)
    for batch in batches:
        sam_step(model, sam, lambda batch=batch: loss_of(model, batch))  # type: ignore[misc]
        ema.update(model)
        next(book)
        expected.update(reference)

    for key, value in ema.module.state_dict().items():
        torch.testing.assert_close(value, expected.module.state_dict()[key], rtol=1e-12, atol=1e-14)


def test_an_error_in_the_second_pass_leaves_weights_and_model_as_they_were(
    net: Net, batches: Any
) -> None:
    model = net(batchnorm=True)
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    parameters = copy.deepcopy(list(model.parameters()))
    calls = iter([True, False])

    def loss() -> torch.Tensor:
        if not next(calls):
            raise KeyboardInterrupt
        return loss_of(model, batches[0])

    with pytest.raises(KeyboardInterrupt):
        sam_step(model, sam, loss)

    assert all(torch.equal(a, b) for a, b in zip(parameters, model.parameters(), strict=True))
    assert model[1].track_running_stats  # type: ignore[index]


@pytest.mark.parametrize("bad", [0, 1])
def test_sam_step_reports_a_skipped_step(bad: int, net: Net, batches: Any) -> None:
    model = net()
    before = weights(model)
    sam = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    factors = iter([float("nan") if i == bad else 1.0 for i in range(2)])
    done = sam_step(model, sam, lambda: loss_of(model, batches[0]) * next(factors))

    assert done.skipped
    assert sam.skipped == 1
    assert same(weights(model), before)


def test_a_compiled_model_takes_the_same_steps(net: Net, batches: Any) -> None:
    """Compiled code reads whether statistics are tracked anew when that changes."""
    plain, model = net(batchnorm=True), net(batchnorm=True)
    compiled = torch.compile(model, backend="aot_eager")
    take_steps(sam_steps, plain, batches)
    sam_steps(compiled, batches, SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1))

    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(plain)[key], rtol=1e-10, atol=1e-12)
