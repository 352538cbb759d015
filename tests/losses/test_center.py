"""Center loss: the paper's formulas, worked out by hand."""

import pytest
import torch

from raymed.losses import center_loss, move_centers, pull_of

FEATURES = torch.tensor([[1.0, 0.0], [3.0, 2.0], [0.0, 4.0]])
LABELS = torch.tensor([0, 0, 2])


def test_it_is_half_the_mean_squared_distance_to_the_own_centre() -> None:
    centers = torch.tensor([[1.0, 1.0], [9.0, 9.0], [0.0, 2.0]])

    loss = center_loss(FEATURES, LABELS, centers)

    assert float(loss) == pytest.approx(0.5 * (1 + (4 + 1) + 4) / 3)


def test_its_gradient_pulls_features_straight_to_the_centre() -> None:
    features = FEATURES.clone().requires_grad_()
    centers = torch.ones(3, 2)

    center_loss(features, LABELS, centers).backward()  # type: ignore[no-untyped-call]

    assert features.grad is not None
    assert torch.allclose(features.grad, (FEATURES - 1) / 3)


def test_centres_move_by_equation_4_and_one_without_samples_stays() -> None:
    centers = torch.tensor([[1.0, 1.0], [9.0, 9.0], [0.0, 2.0]])

    move_centers(centers, pull_of(FEATURES, LABELS, centers), lr=0.5)

    first = [1 + 0.5 * (0 + 2) / 3, 1 + 0.5 * (-1 + 1) / 3]
    assert torch.allclose(centers, torch.tensor([first, [9.0, 9.0], [0.0, 2 + 0.5 * 2 / 2]]))


def test_a_batch_in_parts_moves_centres_as_a_whole_one() -> None:
    whole, parts = torch.zeros(3, 2), torch.zeros(3, 2)
    move_centers(whole, pull_of(FEATURES, LABELS, whole), lr=0.5)

    pulls = [pull_of(FEATURES[part], LABELS[part], parts) for part in (slice(0, 2), slice(2, 3))]
    both = type(pulls[0])(pulls[0].offsets + pulls[1].offsets, pulls[0].counts + pulls[1].counts)
    move_centers(parts, both, lr=0.5)

    assert torch.allclose(whole, parts)
