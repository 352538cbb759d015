"""Saved and loaded, SAM goes on as if it had never stopped."""

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from raymed.optim import SAM, sam_step
from tests.optim.conftest import loss_of, same, weights

Net = Callable[..., nn.Module]
KINDS: dict[str, dict[str, Any]] = {
    "SAM": {},
    "ASAM": {"adaptive": True},
    "LookSAM": {"look_every": 3},
    "MSAM": {"climb": "momentum"},
}


def build(model: nn.Module, kind: str) -> SAM:
    return SAM(model.parameters(), torch.optim.AdamW, rho=0.3, lr=0.01, **KINDS[kind])


def run(model: nn.Module, sam: SAM, batches: Any) -> None:
    for batch in batches:
        sam_step(model, sam, lambda batch=batch: loss_of(model, batch))  # type: ignore[misc]


@pytest.mark.parametrize("stop", [1, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_never_stopped_bit_for_bit(
    kind: str, stop: int, net: Net, batches: Any
) -> None:
    """The base's moments, the count of steps and LookSAM's direction are all needed for that."""
    whole, first, second = net(), net(), net(seed=9)
    run(whole, build(whole, kind), batches)
    sam = build(first, kind)
    run(first, sam, batches[:stop])
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "optimizer": sam.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second.load_state_dict(saved["model"])
    resumed = build(second, kind)
    resumed.load_state_dict(saved["optimizer"])
    run(second, resumed, batches[stop:])

    assert same(weights(second), weights(whole))
    assert resumed.steps == len(batches)


def test_the_skipped_count_and_the_rates_of_the_groups_are_saved(net: Net, batches: Any) -> None:
    model = net()
    sam = build(model, "SAM")
    sam_step(model, sam, lambda: loss_of(model, batches[0]) * float("nan"))
    sam.param_groups[0]["lr"] = 0.125
    other = build(net(), "SAM")
    other.load_state_dict(copy.deepcopy(sam.state_dict()))

    assert (other.skipped, other.steps) == (1, 1)
    assert other.param_groups is other.base.param_groups
    assert other.base.param_groups[0]["lr"] == 0.125


def test_the_state_of_the_plain_base_can_be_loaded(net: Net, batches: Any) -> None:
    """A training that began without SAM goes on with it, moments kept."""
    model = net()
    plain = torch.optim.AdamW(model.parameters(), lr=0.01)
    loss_of(model, batches[0]).backward()
    plain.step()
    sam = build(model, "SAM")
    state = plain.state_dict()
    sam.load_state_dict(state)

    assert torch.equal(sam.state[model[0].weight]["exp_avg"], state["state"][1]["exp_avg"])  # type: ignore[index]
    run(model, sam, batches)
