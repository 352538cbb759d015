"""Contrast, gamma and colour against torchvision; noise against its own distribution."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms.v2 import functional as oracle

from raymed.data.augmentation import augment, draw
from raymed.data.augmentation.intensity import add_noise, retone

ONE, NONE = torch.ones(1), torch.zeros(1)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 3))
def test_gamma_is_torchvisions(gamma: float) -> None:
    images = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
    toned = retone(images, ONE, NONE, torch.tensor([[gamma]]))
    torch.testing.assert_close(toned, oracle.adjust_gamma(images, gamma), atol=1e-5, rtol=0)


def test_gamma_is_drawn_as_often_up_as_down_within_its_ends(only, generator) -> None:
    exponents = draw(torch.Size((4000, 3, 4, 4)), only(gamma=0.5), generator).exponents
    assert torch.equal(exponents[:, 0], exponents[:, 2])  # one a sample, its colours stay
    logs = exponents[:, 0].log()
    assert 0.98 < float(logs.abs().max()) / math.log(1.5) <= 1
    # A uniform distribution's deviation is its width / sqrt(12); its mean here has a 63rd of it.
    assert abs(float(logs.mean())) < 4 * math.log(1.5) / math.sqrt(3) / math.sqrt(4000)


def test_colour_changes_each_channels_optical_density_by_a_factor(only, generator, noise) -> None:
    images = noise(5, 3) * 0.9 + 0.05
    changed = augment(images, only(colour=0.2), generator)
    factors = changed.log() / images.log()
    per_channel = factors.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(factors, per_channel.expand_as(factors), atol=1e-3, rtol=1e-3)
    assert float(per_channel.min()) >= 0.8
    assert float(per_channel.max()) <= 1.2
    assert len(per_channel.flatten().unique()) == 15


def test_grey_images_have_no_colour_to_change(only, generator, noise) -> None:
    images = noise()
    changed = augment(images, only(colour=0.5), generator)
    torch.testing.assert_close(changed, images, atol=1e-6, rtol=0)


@pytest.mark.parametrize("deviation", [0.02, 0.1])
def test_gaussian_noise_has_the_deviation_asked_for(only, generator, deviation: float) -> None:
    grey = torch.full((10, 1, 64, 64), 0.5)
    noise = augment(grey, only(noise=deviation), generator) - grey
    error = deviation / math.sqrt(2 * noise.numel())  # of a standard deviation so estimated
    assert abs(float(noise.std()) - deviation) < 4 * error
    assert abs(float(noise.mean())) < 4 * deviation / math.sqrt(noise.numel())


@pytest.mark.parametrize("value", [0.0, 0.05, 0.5])
def test_rician_noise_has_rices_distribution(generator, value: float) -> None:
    deviation, shape = 0.1, (1, 1, 100, 100)
    normal = torch.randn(1, 2, 1, 100, 100, generator=generator)
    noisy = add_noise(torch.full(shape, value), normal, deviation, "rician")
    rice = stats.rice(value / deviation, scale=deviation)
    assert abs(float(noisy.mean()) - rice.mean()) < 4 * rice.std() / 100
    assert stats.kstest(noisy.flatten().numpy(), rice.cdf).pvalue > 1e-3


def test_speckle_is_noise_in_proportion_to_the_value(generator) -> None:
    ramp = torch.tensor([0.0, 0.25, 0.5]).view(1, 1, 3, 1).expand(1, 1, 3, 20000)
    normal = torch.randn(1, 1, 1, 3, 20000, generator=generator)
    deviations = (add_noise(ramp, normal, 0.1, "speckle") - ramp).std(dim=3).flatten()
    torch.testing.assert_close(deviations, torch.tensor([0, 0.025, 0.05]), atol=1e-6, rtol=0.02)
