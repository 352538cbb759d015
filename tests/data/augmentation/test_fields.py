"""The bias field: mean 1, smooth, within its bounds, as a polynomial of degree 3."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymed.data.augmentation import augment, draw
from raymed.data.augmentation.fields import BIAS_TERMS, bias_fields


def drawn(count: int, amplitude: float, seed: int = 0) -> torch.Tensor:
    weights = torch.rand(count, 1 + BIAS_TERMS, generator=torch.Generator().manual_seed(seed))
    weights = weights * 2 - 1
    weights[:, 0] = amplitude
    return weights


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 60), st.integers(8, 60), st.floats(0, 0.9), st.integers(0, 99))
def test_a_field_has_mean_one_and_reaches_its_amplitude_once(
    height: int, width: int, amplitude: float, seed: int
) -> None:
    fields = bias_fields(drawn(4, amplitude, seed), height, width)
    assert fields.shape == (4, 1, height, width)
    torch.testing.assert_close(fields.mean(dim=(1, 2, 3)), torch.ones(4), atol=1e-5, rtol=0)
    furthest = (fields - 1).abs().amax(dim=(1, 2, 3))
    torch.testing.assert_close(furthest, torch.full((4,), amplitude), atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [33, 64])
def test_a_field_is_a_polynomial_of_degree_three(side: int) -> None:
    field = bias_fields(drawn(1, 0.5), side, side)[0, 0].double().numpy()
    across, down = np.meshgrid(*(np.linspace(-1, 1, side),) * 2)
    terms = [down**i * across**j for i in range(4) for j in range(4 - i)]
    design = np.stack(terms, axis=-1).reshape(-1, len(terms))
    fitted, *_ = np.linalg.lstsq(design, field.ravel(), rcond=None)
    assert np.abs(design @ fitted - field.ravel()).max() < 1e-5


def test_amplitudes_are_drawn_from_none_to_the_most(only, generator) -> None:
    amplitudes = draw(torch.Size((2000, 1, 8, 8)), only(bias=0.4), generator).bias[:, 0]
    assert 0 <= float(amplitudes.min()) < 0.01
    assert 0.39 < float(amplitudes.max()) <= 0.4
    assert abs(float(amplitudes.mean()) - 0.2) < 4 * 0.4 / np.sqrt(12) / np.sqrt(2000)


def test_a_field_multiplies_all_channels_of_a_sample_alike(only, generator) -> None:
    grey = torch.full((5, 3, 32, 32), 0.5)
    shaded = augment(grey, only(bias=0.5), generator)
    assert torch.equal(shaded[:, 0], shaded[:, 2])
    torch.testing.assert_close(shaded.mean(dim=(1, 2, 3)), torch.full((5,), 0.5), atol=1e-4, rtol=0)
    assert len({float(image.std()) for image in shaded}) == 5
