"""SAM is the algorithm of the paper, restores weights to the bit, and goes around any optimizer."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import timm.optim
import torch
from torch import nn

from raymed.errors import InputError
from raymed.optim import SAM
from tests.optim.conftest import by_the_book, closures, loss_of, same, textbook, weights

Net = Callable[..., nn.Module]
BASES = {
    "SGD": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    "Adam": (torch.optim.Adam, {"lr": 0.01}),
    "AdamW": (torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
    "AdamW fused": (torch.optim.AdamW, {"lr": 0.01, "fused": True}),
    "AdamW foreach": (torch.optim.AdamW, {"lr": 0.01, "foreach": True}),
    "RMSprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9}),
    "timm's Lamb": (timm.optim.Lamb, {"lr": 0.01}),
}


@pytest.mark.parametrize("loop", [textbook, closures])
@pytest.mark.parametrize("name", BASES)
def test_it_follows_the_paper_around_any_optimizer(
    name: str, loop: Any, net: Net, batches: Any
) -> None:
    base, options = BASES[name]
    ours, reference = net(), net()

    loop(ours, batches, SAM(ours.parameters(), base, rho=0.3, **options))
    for _ in by_the_book(reference, batches, base(reference.parameters(), **options), 0.3):
        pass

    expected = weights(reference)
    assert not same(weights(net()), expected)
    for key, value in weights(ours).items():
        torch.testing.assert_close(value, expected[key], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", BASES)
def test_rho_zero_is_the_base_optimizer_bit_for_bit(name: str, net: Net, batches: Any) -> None:
    base, options = BASES[name]
    ours, textbooks, plain = net(dropout=0.3), net(dropout=0.3), net(dropout=0.3)
    optimizer = base(plain.parameters(), **options)
    torch.manual_seed(5)
    for batch in batches:
        optimizer.zero_grad()
        loss_of(plain, batch).backward()
        optimizer.step()
    torch.manual_seed(5)
    closures(ours, batches, SAM(ours.parameters(), base, rho=0, **options))
    torch.manual_seed(5)
    sam = SAM(textbooks.parameters(), base, rho=0, model=textbooks, **options)
    textbook(textbooks, batches, sam)

    assert same(weights(ours), weights(plain))
    assert same(weights(textbooks), weights(plain))


def test_weights_come_back_bit_for_bit_for_any_rho(net: Net, batches: Any) -> None:
    """A base that does not move them shows what climbing alone leaves behind."""
    for rho in (1e-6, 0.05, 3.0, 1e6):
        model = net().float()
        before = weights(model)
        optimizer = SAM(model.parameters(), torch.optim.SGD, rho=rho, lr=0.0)
        for data, labels in batches * 4:
            loss_of(model, (data.float(), labels)).backward()
            assert optimizer.first_step(zero_grad=True)
            assert not same(weights(model), before)
            loss_of(model, (data.float(), labels)).backward()
            optimizer.second_step(zero_grad=True)
        assert same(weights(model), before)


def test_the_climb_has_length_rho_over_all_groups_together(net: Net, batches: Any) -> None:
    model = net()
    groups = [{"params": [p], "lr": 10.0**-i} for i, p in enumerate(model.parameters())]
    optimizer = SAM(groups, torch.optim.SGD, rho=0.5, lr=1.0)
    before = weights(model)
    loss_of(model, batches[0]).backward()
    optimizer.first_step()

    moved = torch.cat([(value - before[key]).flatten() for key, value in weights(model).items()])
    assert float(moved.norm()) == pytest.approx(0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [10.0**-i for i in range(5)]


@pytest.mark.parametrize("cached", [0, 20, 10**9])
def test_each_group_climbs_by_its_own_rho_in_runs_of_any_length(
    cached: int, net: Net, batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are moved in runs that fit a cache: no run may take its neighbour's rho."""
    monkeypatch.setattr("raymed.optim.climbs._CACHED", cached)
    model, rhos = net(), [0.5, 0.5, 0.0, 0.2, 0.2]
    own = dict(zip(model.parameters(), rhos, strict=True))
    groups = [{"params": [parameter], "rho": rho} for parameter, rho in own.items()]
    optimizer = SAM(groups, torch.optim.SGD, rho=1.0, lr=1.0)
    before = [parameter.detach().clone() for parameter in own]
    loss_of(model, batches[0]).backward()
    gradients = [torch.zeros(1) if p.grad is None else p.grad.clone() for p in own]
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    optimizer.first_step()

    for parameter, start, gradient, rho in zip(own, before, gradients, rhos, strict=True):
        expected = start + rho * gradient / norm if parameter.grad is not None else start
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-12, atol=1e-14)
    optimizer.give_up()
    assert all(torch.equal(a, b) for a, b in zip(own, before, strict=True))


def test_a_parameter_without_gradient_in_the_second_pass_is_not_left_perturbed(net: Net) -> None:
    model = net()
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.0)
    before = weights(model)
    data = torch.ones(2, 4, dtype=torch.float64)
    model(data).sum().backward()
    optimizer.first_step(zero_grad=True)
    model[0](data).sum().backward()  # type: ignore[index]
    optimizer.second_step(zero_grad=True)

    assert same(weights(model), before)


def test_frozen_parameters_and_those_without_a_gradient_never_move(net: Net, batches: Any) -> None:
    model = net()
    model[0].requires_grad_(False)  # type: ignore[index]
    before = weights(model)
    optimizer = SAM(model.parameters(), torch.optim.AdamW, rho=0.5, lr=0.1, weight_decay=0.1)
    textbook(model, batches, optimizer)

    moved = {key for key, value in weights(model).items() if not torch.equal(value, before[key])}
    assert moved == {"3.weight", "3.bias"}


def test_a_parameter_unfrozen_later_climbs_too(net: Net, batches: Any) -> None:
    model, reference = net(), net()
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.3, lr=0.1)
    base = torch.optim.SGD(reference.parameters(), lr=0.1)
    for trained in (False, True):
        model[0].requires_grad_(trained)  # type: ignore[index]
        reference[0].requires_grad_(trained)  # type: ignore[index]
        textbook(model, batches, optimizer)
        for _ in by_the_book(reference, batches, base, 0.3):
            pass

    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(reference)[key], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bad", ["first", "second"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_skipped_and_counted_and_changes_nothing(
    bad: str, value: float, net: Net, batches: Any
) -> None:
    model = net()
    optimizer = SAM(model.parameters(), torch.optim.AdamW, rho=0.3, lr=0.1)
    textbook(model, batches[:1], optimizer)
    before, state = weights(model), optimizer.state_dict()["state"][1]["exp_avg"].clone()

    (loss_of(model, batches[1]) * (value if bad == "first" else 1)).backward()
    moved = optimizer.first_step(zero_grad=True)
    (loss_of(model, batches[1]) * (value if bad == "second" else 1)).backward()
    optimizer.second_step(zero_grad=True)

    assert moved == (bad == "second")
    assert same(weights(model), before)
    assert torch.equal(optimizer.state_dict()["state"][1]["exp_avg"], state)
    assert (optimizer.steps, optimizer.skipped) == (2, 1)
    textbook(model, batches[2:], optimizer)
    assert optimizer.skipped == 1
    assert not same(weights(model), before)


@pytest.mark.parametrize("told", [True, False])
def test_a_step_given_up_after_the_climb_is_taken_back(told: bool, net: Net, batches: Any) -> None:
    model, other = net(), net()
    before = weights(model)
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.1)
    loss_of(model, batches[0]).backward()
    optimizer.first_step(zero_grad=True)  # and then the program went on to something else
    if told:
        optimizer.give_up()
        assert same(weights(model), before)
    loss_of(model, batches[0]).backward()
    optimizer.first_step(zero_grad=True)
    optimizer.give_up()
    textbook(model, batches, optimizer)
    textbook(other, batches, SAM(other.parameters(), torch.optim.SGD, rho=0.5, lr=0.1))

    assert same(weights(model), weights(other))


def test_a_step_without_a_first_one_is_refused(net: Net) -> None:
    optimizer = SAM(net().parameters(), torch.optim.SGD, lr=0.1)
    with pytest.raises(InputError, match="no first_step came before; call it, or give step"):
        optimizer.step()


def test_schedulers_move_the_bases_rates_without_a_warning(net: Net, batches: Any) -> None:
    model, reference = net(), net()
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.3, lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    base = torch.optim.SGD(reference.parameters(), lr=0.1)
    expected = torch.optim.lr_scheduler.CosineAnnealingLR(base, 5)
    steps = by_the_book(reference, batches, base, 0.3)
    for batch in batches:
        textbook(model, [batch], optimizer)
        schedule.step()
        next(steps)
        expected.step()

    assert optimizer.base.param_groups[0]["lr"] == base.param_groups[0]["lr"] < 0.1
    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(reference)[key], rtol=1e-12, atol=1e-14)


def test_it_leaves_the_bases_own_choice_between_fused_and_foreach_alone(net: Net) -> None:
    for options in ({"fused": True}, {"foreach": False}, {}):
        model = net()
        optimizer = SAM(model.parameters(), torch.optim.AdamW, lr=0.1, **options)
        plain = torch.optim.AdamW(net().parameters(), lr=0.1, **options)
        for key in ("fused", "foreach"):
            assert optimizer.param_groups[0][key] == plain.param_groups[0][key]


def test_an_instance_serves_as_base_and_groups_can_be_added(net: Net, batches: Any) -> None:
    model, reference = net(), net()
    first = list(itertools.islice(model.parameters(), 2))
    base = torch.optim.SGD(first, lr=0.1)
    optimizer = SAM(first, base, rho=0.3)
    optimizer.add_param_group({"params": list(model.parameters())[2:], "lr": 0.05})
    sides = list(reference.parameters())
    expected = torch.optim.SGD([{"params": sides[:2]}, {"params": sides[2:], "lr": 0.05}], lr=0.1)
    textbook(model, batches, optimizer)
    for _ in by_the_book(reference, batches, expected, 0.3):
        pass

    assert optimizer.base is base
    assert len(base.param_groups) == 2
    for key, value in weights(model).items():
        torch.testing.assert_close(value, weights(reference)[key], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rho": -0.1}, "rho: -0.1 is not a length"),
        ({"rho": float("nan")}, "rho: nan is not a length"),
        ({"look_every": 0}, "look_every: 0 is below 1"),
        ({"base_optimizer": torch.optim.LBFGS}, "LBFGS needs a closure"),
        ({"climb": "momentum"}, "SGD has no momentum to climb along"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], words: str, net: Net) -> None:
    settings = {"base_optimizer": torch.optim.SGD, "lr": 0.1, **change}
    with pytest.raises(InputError, match=words):
        SAM(net().parameters(), **settings)


def test_a_base_over_other_parameters_is_refused(net: Net) -> None:
    with pytest.raises(InputError, match="has other parameters"):
        SAM(net().parameters(), torch.optim.SGD(net().parameters(), lr=0.1))
    model = net()
    with pytest.raises(InputError, match="is built already, lr is not used"):
        SAM(model.parameters(), torch.optim.SGD(model.parameters(), lr=0.1), lr=0.2)
