"""Mixing samples: shares, partners and places."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raymed.config import Mixup
from raymed.losses import INPUT, Mix, draw_mix

IMAGES = torch.rand(6, 3, 10, 12, generator=torch.Generator().manual_seed(0))


def draws(**asked: object) -> Mix:
    generator = torch.Generator().manual_seed(1)
    return draw_mix(Mixup.model_validate(asked), IMAGES, ["0", "1"], generator)


@given(samples=st.integers(2, 64), seed=st.integers(0, 100))
def test_everybody_has_one_partner_and_nobody_himself(samples: int, seed: int) -> None:
    keys = torch.rand(samples, generator=torch.Generator().manual_seed(seed))

    partners = Mix(0.5, keys).partners(slice(None))

    assert sorted(partners.tolist()) == list(range(samples))
    assert (partners != torch.arange(samples)).all()


def test_partners_of_a_part_lie_within_it_and_are_the_same_each_time() -> None:
    mix = Mix(0.5, torch.rand(9))

    assert torch.equal(mix.partners(slice(3, 7)), mix.partners(slice(3, 7)))
    assert sorted(mix.partners(slice(3, 7)).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["manifold", "input", "cutmix"])
def test_a_seed_draws_the_same_mix(kind: str) -> None:
    one, other = draws(kind=kind), draws(kind=kind)

    assert (one.share, one.point, one.box) == (other.share, other.point, other.box)
    assert torch.equal(one.keys, other.keys)


def test_a_whole_share_changes_no_bit() -> None:
    mix = Mix(1.0, torch.rand(6))

    assert torch.equal(mix.mixed(IMAGES, mix.partners(slice(None))), IMAGES)


def test_input_mixup_is_the_weighed_sum() -> None:
    mix = Mix(0.3, torch.rand(6))
    partners = mix.partners(slice(None))

    assert torch.allclose(mix.mixed(IMAGES, partners), 0.3 * IMAGES + 0.7 * IMAGES[partners])


@given(seed=st.integers(0, 300), alpha=st.floats(0.1, 4))
def test_cutmix_cuts_as_many_pixels_as_its_share_says(seed: int, alpha: float) -> None:
    asked = Mixup(kind="cutmix", alpha=alpha)
    mix = draw_mix(asked, IMAGES, [], torch.Generator().manual_seed(seed))
    own, other = torch.zeros(2, 1, 10, 12), torch.ones(2, 1, 10, 12)
    both = torch.cat([own[:1], other[:1]])

    mixed = mix.mixed(both, torch.tensor([1, 0]))

    assert float(mixed[0].mean()) == pytest.approx(1 - mix.share, abs=1e-6)
    assert float(mixed[1].mean()) == pytest.approx(mix.share, abs=1e-6)


def test_manifold_mixup_takes_every_place_and_the_input() -> None:
    asked, generator = Mixup(), torch.Generator().manual_seed(0)

    places = {draw_mix(asked, IMAGES, ["0", "1"], generator).point for _ in range(60)}

    assert places == {INPUT, "0", "1"}


def test_within_mixes_the_output_of_its_module_and_lets_go_again() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(360, 4), nn.Tanh())
    mix = Mix(0.25, torch.rand(6), "1")
    partners = mix.partners(slice(None))
    hidden = model[:2](IMAGES)

    with mix.within(model, partners):
        inside = model(IMAGES)

    assert torch.allclose(inside, torch.tanh(0.25 * hidden + 0.75 * hidden[partners]), atol=1e-6)
    assert torch.equal(model(IMAGES), torch.tanh(hidden))
