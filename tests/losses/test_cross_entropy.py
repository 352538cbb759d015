"""Cross-entropy: torch's own, weighted as documented."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from raymed.losses import balanced_weights, cross_entropy

LOGITS = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 2, 2, 0, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_without_weights_it_is_torchs(smoothing: float) -> None:
    expected = functional.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS, None, smoothing), expected)


def test_smoothing_mixes_the_label_with_all_classes_alike() -> None:
    logs = LOGITS.log_softmax(1)
    own = -logs[torch.arange(7), LABELS].mean()
    everything = -logs.mean()
    expected = 0.8 * own + 0.2 * everything
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS, smoothing=0.2), expected)


def test_the_mean_is_over_samples_and_not_over_weights() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0])
    each = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    expected = (weights[LABELS] * each).sum() / 7
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS, weights), expected)
    torchs = functional.cross_entropy(LOGITS, LABELS, weight=weights)  # divides by the weights
    assert not torch.allclose(cross_entropy(LOGITS, LABELS, weights), torchs)


def test_a_sample_pulls_alike_whatever_else_is_in_its_batch() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0])
    pulls = []
    for others in (0, 2):
        logits = torch.zeros(2, 3, requires_grad=True)
        cross_entropy(logits, torch.tensor([1, others]), weights).backward()
        assert logits.grad is not None
        pulls.append(logits.grad[0])
    assert torch.equal(*pulls)


def test_half_precision_logits_are_summed_in_full() -> None:
    half = LOGITS.to(torch.bfloat16)
    loss = cross_entropy(half, LABELS)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, cross_entropy(half.float(), LABELS))


def test_balanced_weights_are_inverse_to_the_class_counts() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1)
    # 10 / (3 * 6), 10 / (3 * 3), 10 / (3 * 1)
    expected = torch.tensor([10 / 18, 10 / 9, 10 / 3])
    torch.testing.assert_close(balanced_weights(labels, 3), expected)


def test_an_absent_class_weighs_nothing_and_the_others_share_as_if_alone() -> None:
    found = balanced_weights(np.array([0, 0, 0, 2]), 4)
    torch.testing.assert_close(found, torch.tensor([4 / 6, 0, 2, 0]))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_balanced_classes_weigh_as_much_as_each_other_and_one_a_sample(labels: list[int]) -> None:
    weights = balanced_weights(np.array(labels), 6)
    counts = torch.tensor(np.bincount(labels, minlength=6))
    totals = (weights * counts)[counts > 0]
    torch.testing.assert_close(totals, torch.full_like(totals, len(labels) / len(totals)))
    assert float(weights[torch.tensor(labels)].mean()) == pytest.approx(1, rel=1e-5)


def test_knowing_nothing_costs_ln_classes_with_balanced_weights_too() -> None:
    labels = torch.tensor([0, 0, 0, 1, 2])
    loss = cross_entropy(torch.zeros(5, 3), labels, balanced_weights(labels.numpy(), 3))
    assert float(loss) == pytest.approx(math.log(3))
