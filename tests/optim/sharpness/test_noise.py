"""Accuracy under relative weight noise."""

import math
import statistics

import pytest
import torch
from torch import nn

from raymed.errors import InputError
from raymed.optim.sharpness import accuracy_drop


def _scale() -> nn.Module:
    model = nn.Module()
    model.scale = nn.Parameter(torch.tensor([2.0]))
    return model


def test_noise_is_relative_and_its_mean_and_error_are_those_of_the_draws() -> None:
    """With w / 2 as the `accuracy`, each drop is -sigma n: the draws themselves can be redone."""
    model = _scale()

    found = accuracy_drop(
        model, lambda: float(model.scale.detach()) / 2, sigma=0.3, draws=50, seed=4
    )

    generator = torch.Generator().manual_seed(4)
    drops = [-0.3 * float(torch.randn(1, generator=generator)) for _ in range(50)]
    assert found.mean == pytest.approx(statistics.fmean(drops), abs=1e-6)
    error = statistics.stdev(drops) / math.sqrt(50)
    assert found.standard_error == pytest.approx(error, abs=1e-6)


def test_without_noise_nothing_is_lost() -> None:
    model = _scale()
    found = accuracy_drop(model, lambda: float(model.scale.detach()), sigma=0)
    assert (found.mean, found.standard_error) == (0, 0)


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    model = _scale()
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    one, same, other = (
        accuracy_drop(model, lambda: float(model.scale.detach()), seed=seed) for seed in (1, 1, 2)
    )
    assert one == same != other
    assert torch.equal(before, torch.random.get_rng_state())


def test_one_draw_is_refused_for_it_has_no_error() -> None:
    with pytest.raises(InputError, match="draws: is 1"):
        accuracy_drop(_scale(), lambda: 1.0, draws=1)
