"""Distance-aware label smoothing: a softmax of distances."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from raymed.losses import ordinal_targets, soft_losses

CLASSES = st.integers(2, 12)
TEMPERATURES = st.floats(0.05, 20)
DISTANCES = st.sampled_from(["absolute", "squared"])


@given(classes=CLASSES, distance=DISTANCES, temperature=TEMPERATURES)
def test_rows_add_up_to_one_and_fall_with_the_distance(
    classes: int, distance: str, temperature: float
) -> None:
    targets = ordinal_targets(classes, distance, temperature)  # type: ignore[arg-type]

    assert torch.allclose(targets.sum(1), torch.ones(classes), atol=1e-6)
    for own in range(classes):
        assert (targets[own, own:].diff() <= 0).all()
        assert (targets[own, : own + 1].diff() >= 0).all()


def test_a_low_temperature_leaves_one_class() -> None:
    assert torch.allclose(ordinal_targets(4, "absolute", 0.01), torch.eye(4))


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_it_equals_dlordinals_sord(alpha: float) -> None:
    theirs = pytest.importorskip("dlordinal.losses").SORDLoss
    labels = torch.tensor([0, 3, 1, 2, 2, 0])
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))

    ours = soft_losses(logits, ordinal_targets(4, "absolute", 1 / alpha)[labels])

    oracle = theirs(alpha=alpha, num_classes=4, train_targets=labels)
    assert float(ours.mean()) == pytest.approx(float(oracle(logits, labels)), abs=1e-6)


def test_one_hot_targets_give_cross_entropy() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 3, 1, 2, 2, 0])

    assert torch.allclose(
        soft_losses(logits, torch.eye(4)[labels]),
        functional.cross_entropy(logits, labels, reduction="none"),
    )
