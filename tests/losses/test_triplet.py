"""Triplet loss: pytorch-metric-learning's, among other patients' images."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner

from raymed.losses import triplet_loss
from raymed.losses.triplet import mine

EACH_ITS_OWN = torch.arange(24)


def draw(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(24, 8, generator=generator),
        torch.randint(3, (24,), generator=generator),
    )


@given(seed=st.integers(0, 500))
def test_where_every_image_is_a_patients_own_it_is_batch_hard(seed: int) -> None:
    features, labels = draw(seed)
    theirs = TripletMarginLoss(0.2)(features, labels, BatchHardMiner()(features, labels))

    assert torch.allclose(triplet_loss(features, labels, EACH_ITS_OWN), theirs)


@given(seed=st.integers(0, 500))
def test_semi_hard_triplets_are_the_librarys(seed: int) -> None:
    features, labels = draw(seed)
    found = TripletMarginMiner(0.2, "semihard")(features, labels)
    theirs = TripletMarginLoss(0.2)(features, labels, found)

    ours = triplet_loss(features, labels, EACH_ITS_OWN, 0.2, "semi-hard")

    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("mining", ["hard", "semi-hard"])
@given(seed=st.integers(0, 200))
def test_positives_are_of_the_class_and_of_another_patient(mining: str, seed: int) -> None:
    features, labels = draw(seed)
    patients = torch.arange(24) // 3

    anchors, positives, negatives = mine(LpDistance()(features), labels, patients, 0.2, mining)  # type: ignore[arg-type]

    assert (labels[anchors] == labels[positives]).all()
    assert (labels[anchors] != labels[negatives]).all()
    assert (patients[anchors] != patients[positives]).all()


def test_a_batch_of_one_patient_asks_for_nothing_and_keeps_its_gradient() -> None:
    features, labels = draw()
    features.requires_grad_()

    loss = triplet_loss(features, labels, torch.zeros(24, dtype=torch.int64))
    loss.backward()  # type: ignore[no-untyped-call]

    assert float(loss.detach()) == 0
    assert features.grad is not None


def test_classes_far_apart_cost_nothing() -> None:
    labels = torch.arange(24) % 3

    assert float(triplet_loss(torch.eye(3)[labels], labels, EACH_ITS_OWN)) == 0
