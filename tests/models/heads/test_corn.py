"""The ordinal head: conditional probabilities whose products are those of classes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from raymed.models.heads import CornHead
from raymed.models.heads.corn import log_probabilities


def draw(seed: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        3 * torch.randn(20, classes - 1, generator=generator),
        torch.randint(classes, (20,), generator=generator),
    )


@given(seed=st.integers(0, 500), classes=st.integers(2, 8))
def test_probabilities_add_up_and_products_are_the_papers(seed: int, classes: int) -> None:
    scores, _ = draw(seed, classes)
    probabilities = log_probabilities(scores).exp()

    assert torch.allclose(probabilities.sum(1), torch.ones(20), atol=1e-5)
    beyond = torch.sigmoid(scores).cumprod(1)  # P(y > k), equation 8 of the paper
    for k in range(classes - 1):
        assert torch.allclose(probabilities[:, k + 1 :].sum(1), beyond[:, k], atol=1e-5)


@given(seed=st.integers(0, 500), classes=st.integers(2, 8))
def test_cross_entropy_is_coral_pytorchs_corn_loss_but_for_what_it_divides_by(
    seed: int, classes: int
) -> None:
    losses = pytest.importorskip("coral_pytorch.losses")
    scores, labels = draw(seed, classes)
    conditions = sum(int((labels > k - 1).sum()) for k in range(classes - 1))

    ours = functional.cross_entropy(log_probabilities(scores), labels, reduction="sum")

    theirs = losses.corn_loss(scores, labels, classes) * conditions
    assert float(ours) == pytest.approx(float(theirs), rel=1e-4)


def test_before_training_every_class_is_as_likely() -> None:
    logits = CornHead(7, 5)(torch.rand(3, 7))

    assert torch.allclose(logits.exp(), torch.full((3, 5), 0.2))
