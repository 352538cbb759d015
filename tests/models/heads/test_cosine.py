"""The cosine classifier: angles, whatever the lengths."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymed.models.heads import CosineHead

FEATURES = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8) % 3


def head(**options: object) -> CosineHead:
    torch.manual_seed(0)
    made = CosineHead(16, 3, **options)  # type: ignore[arg-type]
    torch.nn.init.normal_(made.weight)
    return made


@given(factor=st.floats(1e-3, 1e3))
def test_the_length_of_features_changes_nothing(factor: float) -> None:
    made = head()

    assert torch.allclose(made(FEATURES * factor), made(FEATURES), atol=1e-4)


def test_logits_are_scale_times_the_cosine() -> None:
    made = head(scale=30.0)
    cosines = torch.nn.functional.cosine_similarity(FEATURES[:, None], made.weight[None], dim=2)

    assert torch.allclose(made(FEATURES), 30 * cosines, atol=1e-5)


def test_the_margin_lowers_the_true_class_in_training_alone() -> None:
    made = head(scale=10.0, margin=0.25)
    logits, labels = made.learn(FEATURES, LABELS)

    lowered = made(FEATURES) - logits
    assert torch.equal(labels, LABELS)
    assert torch.allclose(lowered, 2.5 * torch.eye(3)[LABELS], atol=1e-5)


@pytest.mark.parametrize("learned", [True, False])
def test_the_scale_is_trained_only_where_asked(learned: bool) -> None:
    made = head(learn_scale=learned)

    assert made.scale.requires_grad is learned
